"""GNU hello: the smallest application there can be."""

from fedikit.model import Application, Context, Example, LoginShell, Requests, Settings


class HelloSettings(Settings):
    """The friendly greeter."""


class Hello(Application[HelloSettings]):
    """Puts GNU hello into the operator's login shell."""

    name = "hello"

    def requests(self, settings: HelloSettings, context: Context) -> Requests:
        greeting = Example(command=("hello",), prints="Hello, world!")
        return {"shell": LoginShell(packages=("hello",), examples=(greeting,))}
