"""How the pages of a contract image are drawn."""

import html as markup

_STYLE = """\
:root { --accent: #563acc; color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: light-dark(#f3f4f8, #191b22) }
.contract-notice { margin: 0; padding: .4rem 1rem; background: #fff3c4; color: #4d3800; text-align: center }
header, header nav { display: flex; gap: 1rem; align-items: center; background: light-dark(#fff, #282c37) }
header { padding: .6rem 1rem }
header form { display: contents }
header button { margin: 0 }
main { max-width: 38rem; margin: 2rem auto; padding: 0 1rem }
article, form, section { background: light-dark(#fff, #282c37); border-radius: 8px; padding: 1rem; margin: 0 0 1rem }
label { display: block; margin: .6rem 0 .2rem }
input:not([type=file]):not([type=checkbox]):not([type=submit]), textarea
{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; border: 1px solid #8886; border-radius: 4px }
button, input[type=submit] { font: inherit; margin-top: .8rem; padding: .5rem 1.2rem; border: 0; border-radius: 4px;
background: var(--accent); color: #fff; cursor: pointer }
button:disabled { opacity: .5 }
img, video { max-width: 100%; border-radius: 4px; image-rendering: pixelated }
article img { min-width: 8rem }
a { color: light-dark(var(--accent), #a99bff) }
.flash-message, .alert-danger, .invalid-feedback
{ background: #fbd7d7; color: #6d0f0f; padding: .6rem 1rem; border-radius: 4px }
"""


def page(title: str, body: str, *, stands_for: str, head: str = "", accent: str = "#563acc") -> str:
    """A whole HTML page around a body of HTML; it says at its top what it stands for."""
    notice = f"Contract image: stands in for {stands_for} in the lab"
    style = f"<style>{_STYLE}:root {{ --accent: {accent} }}</style>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{markup.escape(title)}</title>{style}{head}</head>'
        f'<body><p class="contract-notice">{notice}</p>{body}</body></html>'
    )
