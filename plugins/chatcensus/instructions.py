"""The instructions that a model gets: the prompt file, rendered with the taxonomy."""

from pathlib import Path

import jinja2

from chatcensus.errors import SetupError
from chatcensus.taxonomy import Taxonomy


def rendered_instructions(include: Path, taxonomy: Taxonomy, prompt: str = "prompts/classify.md") -> str:
    """
    Return the instructions as the DAG renders them: to the character, since their hash is the prompt version.

    Shape: *prompt* is a file of *include*. Errors: SetupError when the file cannot be read or rendered.
    """
    loader = jinja2.FileSystemLoader(include)
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    try:
        return environment.get_template(prompt).render(taxonomy=taxonomy)
    except jinja2.TemplateError as error:
        raise SetupError(f"{include}/{prompt} cannot be rendered: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{include}/{prompt} cannot be read ({type(error).__name__})") from None
