"""The HTML of the authorisation page. Looks only: who may be redirected where is decided in `authorize.py`."""

from collections.abc import Iterable
from html import escape

from dropship_pipeline.sandbox.world.buyers import Buyer, PaymentStanding

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c1f23; --soft: #5b636d; --line: #d5d9de; --paper: #fff; --back: #f3f4f6; --mark: #b34700;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef0; --soft: #a6aeb8; --line: #3a4048; --paper: #1d2126; --back: #131619; --mark: #ff9a52; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 6vh 1rem; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 30rem; margin: auto; padding: 2rem; background: var(--paper); border-radius: .75rem; }
main, label, button { border: 1px solid var(--line); }
label, button { border-radius: .5rem; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
p.flag { color: var(--mark); font-size: .85rem; font-weight: 600; }
.soft { color: var(--soft); font-size: .9rem; }
h1 { margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.3; }
fieldset { margin: 1.25rem 0; padding: 0; border: 0; }
legend { margin-bottom: .5rem; font-weight: 600; }
label { display: flex; gap: .75rem; align-items: baseline; padding: .6rem .75rem; }
label + label { margin-top: .5rem; }
label:has(:checked) { border-color: var(--mark); }
label > span { flex: 1; overflow-wrap: anywhere; }
.actions { display: flex; gap: .75rem; }
button { padding: .65rem 1.25rem; background: none; color: inherit; font: inherit; }
button.go { border-color: transparent; background: #b34700; color: #fff; font-weight: 600; }
button:focus-visible, input:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
"""

STANDINGS: dict[PaymentStanding, str] = {
    PaymentStanding.SAVED_METHOD: "pays with a saved card",
    PaymentStanding.NEVER_PAID: "has never paid: the first payment has to be made by hand",
    PaymentStanding.VERIFIED_FIRST: "the bank verifies each payment first",
    PaymentStanding.DECLINED: "the card is declined",
}


def choice_page(app_name: str, app_key: str, redirect_uri: str, state: str, buyers: Iterable[Buyer]) -> bytes:
    """The page on which one buyer is chosen and the application is let in or not."""
    choices = "".join(_choice(buyer, first=number == 0) for number, buyer in enumerate(buyers))
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (
            ("response_type", "code"),
            ("client_id", app_key),
            ("redirect_uri", redirect_uri),
            ("state", state),
        )
    )
    return _page(
        "Authorize application",
        f"""<h1>{escape(app_name)} asks for access to an Alibaba.com account</h1>
<p class="soft">App key {escape(app_key)}. It could then read products and orders, place orders and pay for them in the
name of the buyer whom you choose. You go back to {escape(redirect_uri)}</p>
<form method="post" action="/oauth/authorize">{hidden}
<fieldset><legend>Buyer</legend>{choices}</fieldset>
<div class="actions"><button class="go" name="decision" value="authorize">Authorize</button>
<button name="decision" value="cancel">Cancel</button></div>
</form>""",
    )


def error_page(what: str, remedy: str) -> bytes:
    """A page that says what was wrong with the authorisation URL and what to do."""
    return _page(
        "Not authorized",
        f'<h1>This request cannot be authorized</h1>\n<p>{escape(what)}</p>\n<p class="soft">{escape(remedy)}</p>',
    )


def _choice(buyer: Buyer, *, first: bool) -> str:
    note = "registered in China: may browse, may not order" if buyer.registered_in_china else STANDINGS[buyer.payment]
    checked = " checked" if first else ""
    return (
        f'<label><input type="radio" name="buyer" value="{escape(buyer.user_id)}" required{checked}>'
        f"<span>{escape(buyer.full_name)} · {escape(buyer.account)}<br>"
        f'<span class="soft">{escape(note)}</span></span></label>'
    )


def _page(title: str, content: str) -> bytes:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · simulated Alibaba.com</title><style>{STYLE}</style></head>
<body><main><p class="flag">Simulated Alibaba.com: no real account is touched</p>
{content}
</main></body></html>
""".encode()
