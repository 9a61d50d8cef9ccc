// SPDX-License-Identifier: MIT
/* A fuzzer's inputs from files, each also cut off and changed at its first FUZZ_BYTES bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

int main(int argc, char **argv)
{
	static uint8_t data[65536];

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rbe");
		size_t n;

		if (!file) {
			printf("not ok %d %s\n", i, argv[i]);
			return EXIT_FAILURE;
		}
		n = fread(data, 1, sizeof(data), file);
		fclose(file);
		/* As it is, and cut off and changed at each of its first bytes. */
		LLVMFuzzerTestOneInput(data, n);
		for (size_t j = 1; j < n && j < FUZZ_BYTES; j++) {
			uint8_t byte = data[j];

			LLVMFuzzerTestOneInput(data, j);
			for (int bit = 0; bit < 8; bit++) {
				data[j] = (uint8_t)(byte ^ 1 << bit);
				LLVMFuzzerTestOneInput(data, n);
			}
			data[j] = byte;
		}
		printf("ok %d %s\n", i, strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
	}
	return EXIT_SUCCESS;
}
