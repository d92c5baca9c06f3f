"""To whom orders go: fictional people at addresses that look right. No telephone number here can ring (555-01xx)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone number in three parts, each possibly empty."""

    country: str = ""
    area: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A shipping address and who lives there (guide §8, `shipment_address`)."""

    contact_person: str
    address: str
    city: str
    province: str
    zip: str
    country: str
    country_code: str
    mobile: Phone
    telephone: Phone = Phone()
    alternate_address: str = ""
    province_code: str = ""
    city_code: str = ""
    port: str = ""
    port_code: str = ""


PEOPLE = (
    "Avery Lindqvist", "Marisol Trejo", "Theo Blackwood", "Priya Ramanathan", "Jonah Whitlock",
    "Camille Dufresne", "Oskar Brandt", "Lucía Montañez", "Hannah Oyelaran", "Felix Arrowsmith",
    "Noor Haddadin", "Ines Carvalho", "Desmond Achterberg", "Yara Castellanos", "Wren Galloway",
    "Mateo Olivares", "Greta Sommerfeld", "Silas Penhaligon", "Amara Nwosu-Bell", "Rafael Quintanilla",
    "Bridget Fairweather", "Emil Novotny", "Keiko Tanabe-Ross", "Tobias Ehrlich",
)  # fmt: skip
STREETS = (
    "Alder Street", "Juniper Lane", "Harbor View Road", "Old Mill Avenue", "Larkspur Court", "Quarry Hill Drive",
    "Meadow Gate", "Foundry Row", "Cedar Terrace", "Lantern Way", "Station Approach", "Orchard Close",
)  # fmt: skip
UNITS = ("", "", "", "", "", "Apt 4B", "Unit 12", "Suite 210", "Floor 3")

# country code -> name, calling code, and places: city, province, province code, zip, area code
PLACES: dict[str, tuple[str, str, tuple[tuple[str, str, str, str, str], ...]]] = {
    "US": (
        "United States of America",
        "+1",
        (
            ("New York", "New York", "NY", "10012", "212"),
            ("Bessemer", "Alabama", "AL", "35022", "205"),
            ("Hendersonville", "Tennessee", "TN", "37075", "615"),
            ("Los Angeles", "California", "CA", "90001", "213"),
            ("Austin", "Texas", "TX", "78701", "512"),
            ("Columbus", "Ohio", "OH", "43004", "614"),
            ("Spokane", "Washington", "WA", "99201", "509"),
            ("Tampa", "Florida", "FL", "33602", "813"),
        ),
    ),
    "MX": (
        "Mexico",
        "+52",
        (
            ("Guadalajara", "Jalisco", "JAL", "44100", "33"),
            ("Monterrey", "Nuevo León", "NLE", "64000", "81"),
            ("Puebla", "Puebla", "PUE", "72000", "222"),
        ),
    ),
    "CA": (
        "Canada",
        "+1",
        (("Toronto", "Ontario", "ON", "M5V 2T6", "416"), ("Victoria", "British Columbia", "BC", "V8W 1N4", "250")),
    ),
    "GB": (
        "United Kingdom",
        "+44",
        (("Leeds", "West Yorkshire", "", "LS1 4DY", "113"), ("Bristol", "Bristol", "", "BS1 5TR", "117")),
    ),
    "DE": ("Germany", "+49", (("Leipzig", "Sachsen", "", "04109", "341"), ("Bremen", "Bremen", "", "28195", "421"))),
    "FR": ("France", "+33", (("Nantes", "Loire-Atlantique", "", "44000", "2"), ("Lyon", "Rhône", "", "69002", "4"))),
    "AU": ("Australia", "+61", (("Hobart", "Tasmania", "TAS", "7000", "3"),)),
}
# of a hundred orders, so many go to each country
SHARES = {"US": 68, "MX": 9, "CA": 7, "GB": 7, "DE": 3, "FR": 3, "AU": 3}
_BY_PERCENT = tuple(code for code, share in SHARES.items() for _ in range(share))


def drawn(entropy: bytes) -> Recipient:
    """A recipient drawn from 8 bytes."""
    country_code = _BY_PERCENT[int.from_bytes(entropy[:2], "little") % 100]
    country, calling_code, places = PLACES[country_code]
    city, province, province_code, zip_code, area = places[entropy[2] % len(places)]
    return Recipient(
        contact_person=PEOPLE[entropy[3] % len(PEOPLE)],
        address=f"{100 + entropy[4] * 13} {STREETS[entropy[5] % len(STREETS)]}",
        alternate_address=UNITS[entropy[6] % len(UNITS)],
        city=city,
        province=province,
        province_code=province_code,
        zip=zip_code,
        country=country,
        country_code=country_code,
        mobile=Phone(calling_code, number=f"{area}55501{entropy[7] % 100:02d}"),
    )
