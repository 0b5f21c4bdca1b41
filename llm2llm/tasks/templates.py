"""Check a task's templates before anything is rendered."""

from llm2llm.prompts import check_template, variables
from llm2llm.tasks.sections import Task, TeacherPrompt

_FIELDS = frozenset({"input", "target", "student_text", "earlier"})


def check_prompt(prompt: TeacherPrompt) -> list[str]:
    """List the problems of a task's teacher templates, one line each.

    A variable that the switches provide but no template shows is a problem too: the question
    would not be what the task says it is.
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
    if found:
        return found
    shown = variables(prompt.user) | variables(prompt.system or "")
    wanted = {
        "input": True,
        "student_text": prompt.show_student_text,
        "earlier": prompt.show_earlier,
    }
    for name, provided in wanted.items():
        if provided and name not in shown:
            switch = "" if name == "input" else f", or set `teacher.show_{name}: false`"
            found.append(f"`teacher.user`: the variable `{name}` is not used; show it{switch}")
    if prompt.solve is not None and "input" not in variables(prompt.solve):
        found.append("`teacher.solve`: the variable `input` is not used; show it")
    return found


def check_task(task: Task) -> list[str]:
    """List the problems of all templates of a task, one line each."""
    student = check_template(task.student.prompt, {"input"})
    return [f"`student.prompt`: {each}" for each in student] + check_prompt(task.teacher)
