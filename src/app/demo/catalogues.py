"""What the demo clinics offer: specialties and services of a dental and of an occupational clinic."""

from typing import Final

from app.demo.specification import ServiceSpec, SpecialtySpec

DENTAL_SPECIALTIES: Final = (
    SpecialtySpec("ODG", "Odontología general"),
    SpecialtySpec("END", "Endodoncia"),
    SpecialtySpec("ORT", "Ortodoncia"),
    SpecialtySpec("OPD", "Odontopediatría"),
    SpecialtySpec("MED", "Medicina general"),
)

OCCUPATIONAL_SPECIALTIES: Final = (
    SpecialtySpec("MOC", "Medicina ocupacional"),
    SpecialtySpec("CAR", "Cardiología"),
    SpecialtySpec("OTO", "Otorrinolaringología"),
    SpecialtySpec("OFT", "Oftalmología"),
    SpecialtySpec("ODO", "Odontología ocupacional"),
    SpecialtySpec("ENF", "Enfermería ocupacional"),
)

_ServiceLine = tuple[str, str, str, str, int, int, str, str]
"""Code, name, category, specialty, price in major units, minutes, reason type, tooth scope."""

_DENTAL: Final[tuple[_ServiceLine, ...]] = (
    ("CON-01", "Consulta y diagnóstico", "Diagnóstico", "ODG", 80, 30, "consultation", "mouth"),
    ("RAD-01", "Radiografía periapical", "Diagnóstico", "ODG", 35, 15, "procedure", "tooth"),
    ("PRE-01", "Profilaxis dental", "Prevención", "ODG", 120, 45, "procedure", "mouth"),
    ("PRE-02", "Sellante de fosas y fisuras", "Prevención", "OPD", 60, 30, "procedure", "tooth"),
    ("PRE-03", "Aplicación de flúor barniz", "Prevención", "OPD", 70, 30, "procedure", "mouth"),
    ("OPE-01", "Restauración con resina", "Operatoria", "ODG", 150, 45, "procedure", "surface"),
    ("OPE-02", "Incrustación de resina", "Operatoria", "ODG", 280, 60, "procedure", "surface"),
    ("REH-01", "Corona de porcelana", "Rehabilitación", "ODG", 750, 60, "procedure", "tooth"),
    (
        "REH-02",
        "Puente fijo de tres piezas",
        "Rehabilitación",
        "ODG",
        1900,
        90,
        "procedure",
        "span",
    ),
    ("CIR-01", "Exodoncia simple", "Cirugía", "ODG", 130, 45, "procedure", "tooth"),
    ("EMG-01", "Atención de urgencia dental", "Diagnóstico", "ODG", 110, 30, "emergency", "mouth"),
    ("END-01", "Endodoncia unirradicular", "Endodoncia", "END", 350, 60, "procedure", "tooth"),
    ("END-02", "Endodoncia multirradicular", "Endodoncia", "END", 550, 90, "procedure", "tooth"),
    ("END-03", "Control de endodoncia", "Endodoncia", "END", 60, 30, "control", "tooth"),
    ("ORT-01", "Instalación de brackets", "Ortodoncia", "ORT", 1800, 90, "procedure", "mouth"),
    ("ORT-02", "Control de ortodoncia", "Ortodoncia", "ORT", 150, 30, "control", "mouth"),
    ("OPD-01", "Consulta odontopediátrica", "Diagnóstico", "OPD", 90, 30, "consultation", "mouth"),
    ("OPD-02", "Pulpotomía", "Operatoria", "OPD", 180, 45, "procedure", "tooth"),
    ("MED-01", "Evaluación médica previa", "Medicina", "MED", 90, 30, "consultation", "none"),
    ("MED-02", "Control posoperatorio", "Medicina", "MED", 60, 30, "control", "none"),
)

_OCCUPATIONAL: Final[tuple[_ServiceLine, ...]] = (
    ("EMO-01", "Examen preocupacional", "Exámenes", "MOC", 48000, 60, "occupational_exam", "none"),
    ("EMO-02", "Examen periódico", "Exámenes", "MOC", 42000, 45, "occupational_exam", "none"),
    ("EMO-03", "Examen de retiro", "Exámenes", "MOC", 38000, 45, "occupational_exam", "none"),
    (
        "EMO-04",
        "Trabajo en altura física",
        "Exámenes",
        "MOC",
        36000,
        45,
        "occupational_exam",
        "none",
    ),
    (
        "EMO-05",
        "Gran altitud geográfica",
        "Exámenes",
        "MOC",
        45000,
        60,
        "occupational_exam",
        "none",
    ),
    ("MED-01", "Entrega de resultados", "Consultas", "MOC", 15000, 30, "consultation", "none"),
    ("CAR-01", "Electrocardiograma", "Cardiología", "CAR", 18000, 30, "procedure", "none"),
    ("CAR-02", "Prueba de esfuerzo", "Cardiología", "CAR", 65000, 60, "procedure", "none"),
    ("OTO-01", "Audiometría tonal", "Otorrinolaringología", "OTO", 16000, 30, "procedure", "none"),
    (
        "OTO-02",
        "Control de hipoacusia",
        "Otorrinolaringología",
        "OTO",
        22000,
        30,
        "control",
        "none",
    ),
    (
        "OFT-01",
        "Agudeza visual y visión de colores",
        "Oftalmología",
        "OFT",
        14000,
        30,
        "procedure",
        "none",
    ),
    ("OFT-02", "Consulta oftalmológica", "Oftalmología", "OFT", 32000, 30, "consultation", "none"),
    (
        "ODO-01",
        "Examen dental ocupacional",
        "Odontología",
        "ODO",
        17000,
        30,
        "occupational_exam",
        "mouth",
    ),
    ("ENF-01", "Espirometría", "Enfermería", "ENF", 16000, 30, "procedure", "none"),
    ("ENF-02", "Toma de muestras", "Enfermería", "ENF", 12000, 15, "procedure", "none"),
)


def _services(
    lines: tuple[_ServiceLine, ...], *, kind: str, kinds: dict[str, str], minor_units: int
) -> tuple[ServiceSpec, ...]:
    """Return the lines as services of `kind`, of another kind where their specialty says so."""
    return tuple(
        ServiceSpec(
            code=code,
            name=name,
            category=category,
            specialty=specialty,
            price_minor=price * minor_units,
            duration_min=minutes,
            kind=kinds.get(specialty, kind),
            reason_type=reason_type,
            tooth_scope=tooth_scope,
        )
        for code, name, category, specialty, price, minutes, reason_type, tooth_scope in lines
    )


DENTAL_SERVICES: Final = _services(
    _DENTAL, kind="dental", kinds={"MED": "medical"}, minor_units=100
)
"""Prices in Peruvian soles."""

OCCUPATIONAL_SERVICES: Final = _services(
    _OCCUPATIONAL, kind="occupational", kinds={"ODO": "dental"}, minor_units=1
)
"""Prices in Chilean pesos, which have no minor unit."""
