"""How people are named, reached and identified in the countries of the demo branches."""

from random import Random
from typing import Final

from msgspec import Struct


class Country(Struct, frozen=True, kw_only=True):
    """Conventions of one country; `#` in the pattern of its mobile numbers stands for a digit."""

    locale: str
    family_names: tuple[str, ...] = ()
    """Names that are common there and missing in the locale's list."""
    mobile: str
    document_kind: str
    minor_document_kind: str
    streets: tuple[str, ...]

    def phone(self, chance: Random) -> str:
        """Return a mobile number in E.164."""
        return "".join(str(chance.randrange(10)) if sign == "#" else sign for sign in self.mobile)


_ANDEAN: Final = (
    "Quispe", "Mamani", "Huamán", "Condori", "Choque", "Apaza", "Ccama", "Huanca",
    "Ticona", "Chambi", "Cusi", "Yupanqui", "Callo", "Sulca", "Llanos", "Pari",
)  # fmt: skip

# Nothing is ever sent to these numbers; none of the countries reserves a range for fiction.
COUNTRIES: Final = {
    "PE": Country(
        locale="es_CL",
        family_names=_ANDEAN,
        mobile="+519000#####",
        document_kind="dni",
        minor_document_kind="dni",
        streets=(
            "Av. Arequipa",
            "Calle Grau",
            "Jr. Junín",
            "Av. Bolognesi",
            "Calle San Martín",
            "Jr. Ayacucho",
        ),
    ),
    "BO": Country(
        locale="es_CO",
        family_names=_ANDEAN,
        mobile="+5917000####",
        document_kind="ci",
        minor_document_kind="ci",
        streets=(
            "Av. Arce",
            "Calle Jaén",
            "Av. Saavedra",
            "Calle Murillo",
            "Av. Busch",
            "Calle Illampu",
        ),
    ),
    "CL": Country(
        locale="es_CL",
        mobile="+569000#####",
        document_kind="run",
        minor_document_kind="run",
        streets=(
            "Av. Matta",
            "Calle Prat",
            "Pasaje Los Aromos",
            "Av. Irarrázaval",
            "Calle Latorre",
            "Av. Argentina",
        ),
    ),
    "CO": Country(
        locale="es_CO",
        mobile="+573000######",
        document_kind="cc",
        minor_document_kind="ti",
        streets=(
            "Calle 45",
            "Carrera 7",
            "Calle 63",
            "Avenida Carrera 30",
            "Transversal 22",
            "Diagonal 40",
        ),
    ),
}
