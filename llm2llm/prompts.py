"""Prompts: strict, sandboxed Jinja over a few named texts."""

import functools
from collections.abc import Sequence
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llm2llm.exceptions import ParamsError

# What a template can raise at run time besides Jinja's own: `{{ input + 1 }}`, `{{ 1 / 0 }}`,
# a range beyond the sandbox's limit, a macro that calls itself.
_FAULTS = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError)


def _shown(value: Any) -> Any:
    if value is None:
        raise TemplateError("a variable that is null is printed; put {% if ... %} around it")
    return value


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=_shown
)


def render(template: str, **fields: str | Sequence[str] | None) -> str:
    """Fill a template in; raises ParamsError that names an unknown variable.

    A field that is None may be tested for but not printed.
    """
    unknown = check_template(template, set(fields))
    if unknown:
        raise ParamsError("; ".join(unknown))
    try:
        return _compiled(template).render(**fields)
    except _FAULTS as failure:
        raise ParamsError(
            f"template {_excerpt(template)}: {failure}; mend it in the task file"
        ) from None


def check_template(template: str, allowed: set[str]) -> list[str]:
    """List the problems of a template that can be seen without data, one line each."""
    return list(_problems(template, frozenset(allowed)))


def variables(template: str) -> set[str]:
    """Name the variables that a template uses."""
    return meta.find_undeclared_variables(_ENVIRONMENT.parse(template))


@functools.lru_cache(maxsize=64)
def _problems(template: str, allowed: frozenset[str]) -> tuple[str, ...]:
    try:
        _compiled(template)
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(template))
    except TemplateSyntaxError as failure:
        line = f"line {failure.lineno}: {failure.message}"
        return (f"template {_excerpt(template)}: {line}; mend it in the task file",)
    known = ", ".join(sorted(allowed))
    return tuple(
        f"template {_excerpt(template)}: unknown variable `{name}`; known: {known}"
        for name in sorted(used - allowed - set(_ENVIRONMENT.globals))
    )


@functools.lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


def _excerpt(template: str) -> str:
    flat = " ".join(template.split())
    return repr(flat if len(flat) <= 50 else flat[:47] + "...")
