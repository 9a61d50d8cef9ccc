#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turn Varlink interface definitions into the C tables that wire.h declares.

usage: varlink2c.py OUTPUT.c INPUT.varlink...

Takes the language as varlinkctl 257 takes it: no container within a container, no nullable element, an empty struct
only as parameters or as an error. What is wrong is reported with file and line, and nothing is written.
"""

import re
import sys

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+)|(?P<newline>\n)|(?P<comment>\#[^\n]*)|(?P<arrow>->)
      |(?P<array>\[\])|(?P<map>\[string\])|(?P<punct>[(),:?])
      |(?P<word>[A-Za-z][A-Za-z0-9_.-]*)""",
    re.VERBOSE,
)
FIELD_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
SYMBOL_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
INTERFACE_NAME = re.compile(r"[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+")
BASIC = {"bool": "BOOL", "int": "INT", "float": "FLOAT", "string": "STRING", "object": "OBJECT"}


class IdlError(Exception):
    pass


class Type:
    def __init__(self, kind, container="NONE", nullable=False, ref=None, shape=None):
        self.kind, self.container, self.nullable = kind, container, nullable
        self.ref, self.shape = ref, shape  # name of a type; a Shape written in place


class Shape:
    """Fields (name, Type) or the values of an enum."""

    def __init__(self, fields=None, values=None):
        self.fields, self.values = fields, values


class Parser:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.tokens = list(self.tokenize())
        self.position = 0

    def fail(self, message, line=None):
        if line is None:
            line = self.tokens[min(self.position, len(self.tokens) - 1)][2] if self.tokens else 1
        raise IdlError(f"{self.path}:{line}: {message}")

    def tokenize(self):
        at, line = 0, 1
        while at < len(self.text):
            match = TOKEN.match(self.text, at)
            if not match:
                self.fail(f"unexpected character {self.text[at]!r}", line)
            at = match.end()
            if match.lastgroup == "newline":
                line += 1
            elif match.lastgroup not in ("space", "comment"):
                yield match.lastgroup, match.group(), line
        yield "end", "end of file", line

    def peek(self):
        return self.tokens[self.position][1]

    def next(self):
        kind, text, _ = self.tokens[self.position]
        self.position += kind != "end"
        return kind, text

    def expect(self, text):
        if self.peek() != text:
            self.fail(f"expected '{text}', got '{self.peek()}'")
        self.next()

    def word(self, pattern, what):
        kind, text, line = self.tokens[self.position]
        if kind != "word" or not pattern.fullmatch(text):
            self.fail(f"'{text}' is no {what}", line)
        self.next()
        return text

    def type(self):
        nullable = self.peek() == "?"
        if nullable:
            self.next()
        container = {"[]": "ARRAY", "[string]": "MAP"}.get(self.peek(), "NONE")
        if container != "NONE":
            self.next()
            if self.peek() in ("?", "[]", "[string]"):
                self.fail("a container may hold neither a container nor something nullable")
        if self.peek() == "(":
            shape = self.shape(empty_allowed=False)
            return Type("ENUM" if shape.values else "STRUCT", container, nullable, shape=shape)
        if self.peek() in BASIC:
            return Type(BASIC[self.next()[1]], container, nullable)
        return Type(None, container, nullable, ref=self.word(SYMBOL_NAME, "type"))

    def shape(self, empty_allowed):
        self.expect("(")
        if self.peek() == ")":
            if not empty_allowed:
                self.fail("a type may not be empty")
            self.next()
            return Shape(fields=[])
        names, types = [], []
        while True:
            name = self.word(FIELD_NAME, "field name")
            if name in names:
                self.fail(f"'{name}' is here twice")
            names.append(name)
            if self.peek() == ":":
                self.next()
                types.append(self.type())
            if len(types) not in (0, len(names)):
                self.fail("fields and enum values are mixed")
            if self.peek() != ",":
                break
            self.next()
        self.expect(")")
        return Shape(fields=list(zip(names, types))) if types else Shape(values=names)

    def parse(self):
        interface = Interface(self.path, self.text)
        self.expect("interface")
        interface.name = self.word(INTERFACE_NAME, "interface name")
        while self.tokens[self.position][0] != "end":
            line = self.tokens[self.position][2]
            keyword = self.next()[1]
            if keyword not in ("type", "method", "error"):
                self.fail(f"'{keyword}' starts no type, method or error", line)
            name = self.word(SYMBOL_NAME, "symbol name")
            if name in interface.symbols:
                self.fail(f"'{name}' is here twice")
            interface.symbols.add(name)
            if keyword == "type":
                interface.types[name] = self.shape(empty_allowed=False)
                continue
            first = self.shape(empty_allowed=True)
            if first.values:
                self.fail("parameters need types", line)
            if keyword == "error":
                interface.errors[name] = first
                continue
            if self.next()[0] != "arrow":
                self.fail("expected '->'", line)
            second = self.shape(empty_allowed=True)
            if second.values:
                self.fail("replies need types", line)
            interface.methods[name] = (first, second)
        interface.resolve()
        return interface


class Interface:
    def __init__(self, path, text):
        self.path, self.text, self.name = path, text, None
        self.symbols, self.types, self.methods, self.errors = set(), {}, {}, {}

    def shapes(self):
        yield from self.types.values()
        yield from self.errors.values()
        for method in self.methods.values():
            yield from method

    def resolve(self):
        todo = list(self.shapes())
        while todo:
            for _, kind in todo.pop().fields or []:
                if kind.shape:
                    todo.append(kind.shape)
                if kind.ref:
                    if kind.ref not in self.types:
                        raise IdlError(f"{self.path}: type '{kind.ref}' is not defined")
                    kind.kind = "ENUM" if self.types[kind.ref].values else "STRUCT"


class Emitter:
    def __init__(self, interface):
        self.interface = interface
        self.prefix = re.sub(r"[^a-z0-9]", "_", interface.name.lower())
        self.out = []
        self.n_inline = 0

    def c_string(self, text):
        lines = text.splitlines(keepends=True) or [""]
        escape = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"}
        return "\n".join('\t"' + "".join(escape.get(c, c) for c in line) + '"' for line in lines)

    def fields(self, symbol, shape):
        """Array of a shape's fields; returns its initializer for struct wire_shape, without the name."""
        if shape.values:
            self.out.append(f"static const char *const {symbol}_values[] = {{")
            self.out += [f'\t"{value}",' for value in shape.values]
            self.out.append("};\n")
            return f".values = {symbol}_values, .n_values = {len(shape.values)}"
        if not shape.fields:
            return ".n_fields = 0"
        rows = []
        for name, kind in shape.fields:
            row = f'\t{{ "{name}", WIRE_KIND_{kind.kind}, WIRE_CONTAINER_{kind.container}, '
            row += "true, " if kind.nullable else "false, "
            rows.append(row + self.reference(name, kind) + " },")
        self.out.append(f"static const struct wire_field {symbol}_fields[] = {{")
        self.out += rows
        self.out.append("};\n")
        return f".fields = {symbol}_fields, .n_fields = {len(shape.fields)}"

    def reference(self, name, kind):
        if kind.ref:
            return f"&{self.prefix}_type_{kind.ref}"
        if not kind.shape:
            return "NULL"
        self.n_inline += 1
        symbol = f"{self.prefix}_inline_{self.n_inline}"
        body = self.fields(symbol, kind.shape)
        self.out.append(f'static const struct wire_shape {symbol} = {{ .name = "{name}", {body} }};\n')
        return f"&{symbol}"

    def emit(self):
        prefix, interface = self.prefix, self.interface
        # Declared first: types may refer to each other in any order, and to themselves.
        self.out += [f"static const struct wire_shape {prefix}_type_{name};" for name in interface.types]
        self.out.append("")
        for name, shape in interface.types.items():
            body = self.fields(f"{prefix}_type_{name}", shape)
            self.out.append(f'static const struct wire_shape {prefix}_type_{name} = {{ .name = "{name}", {body} }};\n')
        rows = []
        for name, (taken, given) in interface.methods.items():
            body_in = self.fields(f"{prefix}_in_{name}", taken)
            body_out = self.fields(f"{prefix}_out_{name}", given)
            rows += [f'\t{{ .name = "{name}",', f'\t  .in = {{ .name = "{name}", {body_in} }},']
            rows.append(f'\t  .out = {{ .name = "{name}", {body_out} }} }},')
        self.array("wire_method", "methods", rows)
        rows = []
        for name, shape in interface.errors.items():
            rows.append(f'\t{{ .name = "{name}", ' + self.fields(f"{prefix}_error_{name}", shape) + " },")
        self.array("wire_shape", "errors", rows)
        self.out.append(f"const struct wire_interface wire_interface_{prefix} = {{")
        self.out.append(f'\t.name = "{interface.name}",')
        self.out.append("\t.description =\n" + self.c_string(interface.text) + ",")
        for what, count in (("methods", len(interface.methods)), ("errors", len(interface.errors))):
            if count:
                self.out.append(f"\t.{what} = {prefix}_{what},")
            self.out.append(f"\t.n_{what} = {count},")
        self.out.append("};\n")
        return self.out

    def array(self, kind, name, rows):
        if rows:
            self.out += [f"static const struct {kind} {self.prefix}_{name}[] = {{", *rows, "};\n"]


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        emitters = [Emitter(Parser(path).parse()) for path in arguments[1:]]
    except (IdlError, OSError, UnicodeDecodeError) as error:
        print(f"varlink2c: {error}", file=sys.stderr)
        return 1
    out = ["/* SPDX-License-Identifier: MIT */", "/* Made by varlink2c.py from the interface definitions. */"]
    out += ['#include "wire/wire.h"', ""]
    for emitter in emitters:
        out += emitter.emit()
    out.append("static const struct wire_interface *const known[] = {")
    out += [f"\t&wire_interface_{emitter.prefix}," for emitter in emitters]
    out += ["\tNULL,", "};", "", "size_t wire_interface_known(const struct wire_interface *const **ret)", "{"]
    out += ["\t*ret = known;", "\treturn sizeof(known) / sizeof(known[0]) - 1;", "}"]
    with open(arguments[0], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
