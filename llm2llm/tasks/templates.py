"""Check a task's templates, and its own code, before anything is rendered or read."""

import re

from llm2llm.exceptions import ParamsError
from llm2llm.prompts import check_template, variables
from llm2llm.tasks.hook import load_hook
from llm2llm.tasks.sections import Task, TeacherPrompt

_FIELDS = frozenset({"input", "target", "student_text", "earlier"})
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def check_prompt(prompt: TeacherPrompt) -> list[str]:
    """List the problems of a task's teacher templates, one line each.

    A variable that is provided but that no template shows is a problem too: the question would
    not be what the task says it is. The gold answer is always needed: either the new example has
    one like it, or it keeps this one.
    """
    templates = {"teacher.system": prompt.system, "teacher.user": prompt.user}
    found = [
        f"`{name}`: {problem}"
        for name, template in templates.items()
        if template is not None
        for problem in check_template(template, set(_FIELDS))
    ]
    if prompt.solve is not None:
        found += [f"`teacher.solve`: {each}" for each in check_template(prompt.solve, {"input"})]
    found += _exchange(prompt)
    if found:
        return found
    shown = variables(prompt.user) | variables(prompt.system or "")
    wanted = {
        "input": True,
        "target": True,
        "student_text": prompt.show_student_text,
        "earlier": prompt.show_earlier,
    }
    for name, provided in wanted.items():
        if provided and name not in shown:
            required = name in ("input", "target")
            switch = "" if required else f", or set `teacher.show_{name}: false`"
            found.append(f"`teacher.user`: the variable `{name}` is not used; show it{switch}")
    if prompt.solve is not None and "input" not in variables(prompt.solve):
        found.append("`teacher.solve`: the variable `input` is not used; show it")
    return found


def _exchange(prompt: TeacherPrompt) -> list[str]:
    if prompt.exchange is None:
        return []
    return [
        f"`teacher.exchange.{name}`: found {syntax.group()!r}, which the teacher would see as it"
        " stands: an exchange is no template; write the example out"
        for name, text in prompt.exchange.model_dump().items()
        if (syntax := _JINJA.search(text))
    ]


def check_task(task: Task) -> list[str]:
    """List the problems of all templates of a task, and of its hook, one line each."""
    found = [f"`student.prompt`: {each}" for each in check_template(task.student.prompt, {"input"})]
    if task.answer.hook is not None:
        try:
            load_hook(task.answer.hook)
        except ParamsError as failure:
            found.append(str(failure))
    return found + check_prompt(task.teacher)
