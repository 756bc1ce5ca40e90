"""The mutants of a module: its syntax tree, changed in one place, so that a good test fails."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

Path = tuple[tuple[str, int | None], ...]  # (field, place in its list) from the module down to a node
Place = tuple[str, bool, ast.stmt]  # function or class, whether it is in a function, and the statement

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
LONGEST_TEXT = 20  # longer ones are words for people
NOT_ENTERED = ("annotation", "returns", "decorator_list", "type_params")  # declarations: no behaviour of a function


@dataclass(frozen=True, slots=True)
class Mutant:
    """`lines` are those of the statement that it changes, `where` is its function or class. What stands in none
    of the functions takes effect while the module is loaded."""

    where: str
    is_in_function: bool
    lines: range
    what: str
    make: Callable[[], ast.Module] = field(repr=False, compare=False)  # the module's tree with it


def mutants_of(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for path, (where, is_in_function, statement) in places(tree):
        node = at(tree, path)
        for changed in changes(node):
            what = f"{shown(node)} => {shown(changed)}"
            make = partial(mutated, source, path, changed)
            yield Mutant(where, is_in_function, lines_of(statement), what, make)


def mutated(source: str, path: Path, changed: ast.AST) -> ast.Module:
    tree = ast.parse(source)
    replace(tree, path, ast.fix_missing_locations(ast.copy_location(changed, at(tree, path))))
    return tree


def places(tree: ast.Module) -> Iterator[tuple[Path, Place]]:
    """Every node that may be changed."""

    def below(node: ast.AST, path: Path, place: Place) -> Iterator[tuple[Path, Place]]:
        for name, value in ast.iter_fields(node):
            if name in NOT_ENTERED or isinstance(node, ast.JoinedStr):
                continue
            where, is_in_function, statement = place
            if name == "body" and isinstance(node, ast.FunctionDef | ast.ClassDef):
                where = f"{where}.{node.name}".lstrip(".")
                is_in_function = is_in_function or isinstance(node, ast.FunctionDef)
            for number, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST) and not is_docstring(child):
                    here = (*path, (name, number))
                    inside = (where, is_in_function, child if isinstance(child, ast.stmt) else statement)
                    yield here, inside
                    yield from below(child, here, inside)

    yield from below(tree, (), ("", False, tree.body[0]))


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.Constant):
        yield from other_constants(node.value)
    elif isinstance(node, ast.stmt):
        yield from other_statements(node)
    else:
        yield from other_expressions(node)


def other_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in COMPARED[type(op)]:
                    yield ast.Compare(node.left, [*ops[:place], other(), *ops[place + 1 :]], node.comparators)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in CALCULATED:
            yield ast.BinOp(left, CALCULATED[type(op)](), right)
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            yield ast.Call(ast.Name(SWAPPED[name], ast.Load()), node.args, node.keywords)
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.comprehension(ifs=[_, *others]):
            yield ast.comprehension(node.target, node.iter, others, node.is_async)


def other_constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and len(value) <= LONGEST_TEXT:
        yield ast.Constant("" if value else "mutant")


def other_statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant) or value.value is not None:
            yield ast.Return(ast.Constant(None))
            if isinstance(value, ast.Compare | ast.BoolOp):
                yield ast.Return(ast.UnaryOp(ast.Not(), value))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete() | ast.Continue():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.If(body=body, orelse=orelse):
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.While(body=body, orelse=orelse):
            yield ast.While(ast.Constant(False), body, orelse)


def at(tree: ast.AST, path: Path) -> ast.AST:
    for name, place in path:
        found = getattr(tree, name)
        tree = found if place is None else found[place]
    return tree


def replace(tree: ast.AST, path: Path, node: ast.AST) -> None:
    *above, (name, place) = path
    owner = at(tree, tuple(above))
    if place is None:
        setattr(owner, name, node)
    else:
        getattr(owner, name)[place] = node


def lines_of(statement: ast.stmt) -> range:
    """Of a statement that holds others only its head."""
    body: list[ast.stmt] = getattr(statement, "body", [])
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def shown(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    if isinstance(node, ast.comprehension):
        node = ast.GeneratorExp(ast.Name("_"), [node])
    return " ".join(ast.unparse(node).split())
