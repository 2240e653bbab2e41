"""The front page's words in the languages that the terminal speaks, and how each writes numbers."""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["LANGUAGES", "Language"]


class Language(NamedTuple):
    """`group` stands between thousands, from `grouped_from` digits on; `words` by their English name."""

    code: str
    name: str
    group: str
    point: str
    grouped_from: int
    words: Mapping[str, str]


_ENGLISH: Final = {
    "title": "Exchange: spot markets",
    "description": "Prices, changes and turnover of all spot markets. Charts, order book, trading.",
    "heading": "Spot markets",
    "lead": "Live prices from the order books. Look around without an account; trade with one.",
    "open": "Open the terminal",
    "sign_up": "Sign up",
    "market": "Market",
    "last": "Last price",
    "change": "24h change",
    "high": "24h high",
    "low": "24h low",
    "turnover": "24h turnover",
    "day": "Last 24 hours",
    "closed": "not open now",
    "more": "{count} more markets are in the terminal's list.",
    "none": "No markets yet.",
    "as_of": "Prices of",
    "api": "API",
    "languages": "Languages",
}
_GERMAN: Final = {
    "title": "Exchange: Spotmärkte",
    "description": "Kurse, Veränderung und Umsatz aller Spotmärkte. Charts, Orderbuch, Handel.",
    "heading": "Spotmärkte",
    "lead": "Kurse direkt aus den Orderbüchern. Ansehen geht ohne Konto, handeln mit einem.",
    "open": "Terminal öffnen",
    "sign_up": "Konto eröffnen",
    "market": "Markt",
    "last": "Letzter Kurs",
    "change": "Veränderung 24 h",
    "high": "Hoch 24 h",
    "low": "Tief 24 h",
    "turnover": "Umsatz 24 h",
    "day": "Letzte 24 Stunden",
    "closed": "zurzeit nicht offen",
    "more": "{count} weitere Märkte stehen in der Liste des Terminals.",
    "none": "Noch keine Märkte.",
    "as_of": "Kurse von",
    "api": "API",
    "languages": "Sprachen",
}
_SPANISH: Final = {
    "title": "Exchange: mercados al contado",
    "description": "Precios, variación y volumen de los mercados al contado. Gráficos, libro y órdenes.",
    "heading": "Mercados al contado",
    "lead": "Precios en vivo de los libros de órdenes. Mire sin cuenta; opere con una.",
    "open": "Abrir el terminal",
    "sign_up": "Crear una cuenta",
    "market": "Mercado",
    "last": "Último precio",
    "change": "Variación 24 h",
    "high": "Máximo 24 h",
    "low": "Mínimo 24 h",
    "turnover": "Volumen 24 h",
    "day": "Últimas 24 horas",
    "closed": "cerrado ahora",
    "more": "{count} mercados más en la lista del terminal.",
    "none": "Aún no hay mercados.",
    "as_of": "Precios de las",
    "api": "API",
    "languages": "Idiomas",
}
_CHINESE: Final = {
    "title": "Exchange：现货市场",
    "description": "全部现货市场的价格、涨跌和成交额。图表、订单簿和交易请进入交易终端。",
    "heading": "现货市场",
    "lead": "价格实时来自订单簿。无需账户即可浏览，注册后即可交易。",
    "open": "打开交易终端",
    "sign_up": "注册",
    "market": "市场",
    "last": "最新价",
    "change": "24小时涨跌",
    "high": "24小时最高",
    "low": "24小时最低",
    "turnover": "24小时成交额",
    "day": "最近24小时",
    "closed": "暂未开放",
    "more": "终端的列表中还有 {count} 个市场。",
    "none": "暂无市场。",
    "as_of": "价格时间",
    "api": "API",
    "languages": "语言",
}
# By the value of `?lang=`; the first is for all who ask for none, or for another.
LANGUAGES: Final[Mapping[str, Language]] = {
    language.code: language
    for language in (
        Language("en", "English", ",", ".", 4, _ENGLISH),
        Language("de", "Deutsch", ".", ",", 4, _GERMAN),
        Language("es", "Español", ".", ",", 5, _SPANISH),
        Language("zh", "中文", ",", ".", 4, _CHINESE),
    )
}
