"""Drawing where the services are."""

from collections.abc import Iterator

from rich.text import Text

from fedikit.display import markup
from fedikit.results.services import Service, Services


def html_of_services(services: Services) -> Iterator[str]:
    return map(markup.lines, draw_services(services))


def draw_services(services: Services) -> Iterator[Text]:
    width = max((len(service.application) for service in services.all), default=0)
    yield Text("Your services:", style="bold")
    for service in services.all:
        for number, words in enumerate(_words(service)):
            name = service.application if number == 0 else ""
            yield Text.assemble((f"  {name:<{width}}  ", "bold"), words)


def _words(service: Service) -> Iterator[str]:
    if service.address:
        yield service.address
    if service.username:
        yield f"{service.username} ({service.email}) signs in; the password: {service.password or 'where you sign in'}"
    yield from service.commands
    if not service.address and not service.commands:
        yield "is there"
