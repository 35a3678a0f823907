"""Who works at the demo clinics: twelve people each, every role of the staff among them.

The first of each role works at every branch, so that a login by role sees all of the clinic that the role may see.
"""

from datetime import date, time
from typing import Final

from msgspec import structs

from app.demo.specification import ShiftSpec, StaffSpec
from domain.actor import Role

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = range(1, 7)
WORKDAYS: Final = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)


def _mornings(branch: str, *weekdays: int) -> ShiftSpec:
    return ShiftSpec(branch, weekdays, time(8, 30), time(13))


def _afternoons(branch: str, *weekdays: int) -> ShiftSpec:
    return ShiftSpec(branch, weekdays, time(14, 30), time(19))


def _person(  # noqa: PLR0913, PLR0917  # one line a person, read as a table
    role: Role,
    given_names: str,
    family_name: str,
    second_family_name: str,
    sex: str,
    birth_date: date,
    branches: tuple[str, ...],
) -> StaffSpec:
    return StaffSpec(
        role=role,
        given_names=given_names,
        family_name=family_name,
        second_family_name=second_family_name,
        sex=sex,
        birth_date=birth_date,
        branches=branches,
    )


def _practitioner(
    person: StaffSpec, specialty: str, license_number: str, experience: str, *shifts: ShiftSpec
) -> StaffSpec:
    return structs.replace(
        person,
        specialty=specialty,
        license_number=license_number,
        experience=experience,
        shifts=shifts,
    )


_S = ("LIM", "BOG", "SCL")

SONRISA_STAFF: Final = (
    _person(Role.ADMIN, "Rosa Elena", "Quispe", "Salazar", "female", date(1978, 4, 12), _S),
    _practitioner(
        _person(Role.DENTIST, "Lucía", "Paredes", "Rojas", "female", date(1984, 9, 3), _S),
        "ODG",
        "COP-18234",
        "Operatoria y rehabilitación oral, 15 años",
        _mornings("LIM", *WORKDAYS, SATURDAY),
        _afternoons("LIM", MONDAY, WEDNESDAY),
    ),
    _practitioner(
        _person(
            Role.DENTIST, "Andrés Felipe", "Ospina", "Cárdenas", "male", date(1987, 1, 25), ("BOG",)
        ),
        "ODG",
        "CO-52817",
        "Odontología general y cirugía menor, 11 años",
        _mornings("BOG", *WORKDAYS),
        _afternoons("BOG", TUESDAY, THURSDAY),
    ),
    _practitioner(
        _person(
            Role.DENTIST, "Jorge Luis", "Huamán", "Ticona", "male", date(1980, 6, 17), ("LIM",)
        ),
        "END",
        "COP-15120",
        "Endodoncia con microscopio, 18 años",
        _afternoons("LIM", MONDAY, TUESDAY, WEDNESDAY, THURSDAY),
    ),
    _practitioner(
        _person(
            Role.DENTIST, "Valeria", "Campos", "Núñez", "female", date(1989, 11, 8), ("LIM", "SCL")
        ),
        "ORT",
        "COP-24077",
        "Ortodoncia fija y alineadores, 9 años",
        _mornings("LIM", MONDAY, TUESDAY),
        _mornings("SCL", THURSDAY, FRIDAY),
        _afternoons("SCL", THURSDAY),
    ),
    _practitioner(
        _person(Role.DENTIST, "Camila", "Fuentes", "Araya", "female", date(1986, 3, 30), ("SCL",)),
        "OPD",
        "CL-117604",
        "Odontopediatría, 12 años",
        _mornings("SCL", *WORKDAYS),
        _afternoons("SCL", MONDAY, WEDNESDAY),
    ),
    _practitioner(
        _person(Role.DOCTOR, "Miguel Ángel", "Torres", "Vidal", "male", date(1975, 8, 21), _S),
        "MED",
        "CMP-43119",
        "Medicina interna, 22 años",
        _mornings("LIM", WEDNESDAY, FRIDAY),
    ),
    _person(Role.NURSE, "Carmen", "Flores", "Choque", "female", date(1990, 2, 14), _S),
    _person(Role.OPERATOR, "Diana", "Ramos", "Chávez", "female", date(1994, 7, 5), _S),
    _person(Role.OPERATOR, "Julián", "Mejía", "Restrepo", "male", date(1996, 10, 19), ("BOG",)),
    _person(Role.DIGITIZER, "Paola", "Vargas", "León", "female", date(1998, 5, 27), _S),
    _person(Role.AUDITOR, "Héctor", "Salinas", "Bravo", "male", date(1970, 12, 2), _S),
)

_A = ("AQP", "LPB")

AREQUIPA_STAFF: Final = (
    _person(Role.ADMIN, "Carlos Alberto", "Mamani", "Zegarra", "male", date(1974, 3, 9), _A),
    _practitioner(
        _person(
            Role.DENTIST, "María Fernanda", "Delgado", "Tapia", "female", date(1985, 5, 16), _A
        ),
        "ODG",
        "COP-19882",
        "Odontología restauradora, 14 años",
        _mornings("AQP", *WORKDAYS, SATURDAY),
        _afternoons("AQP", TUESDAY, THURSDAY),
    ),
    _practitioner(
        _person(Role.DENTIST, "Gonzalo", "Condori", "Apaza", "male", date(1982, 10, 28), ("LPB",)),
        "ODG",
        "LP-3391",
        "Rehabilitación oral, 16 años",
        _mornings("LPB", *WORKDAYS),
        _afternoons("LPB", MONDAY, WEDNESDAY, FRIDAY),
    ),
    _practitioner(
        _person(Role.DENTIST, "Ximena", "Rivera", "Cáceres", "female", date(1988, 7, 11), ("AQP",)),
        "OPD",
        "COP-23345",
        "Odontopediatría, 10 años",
        _mornings("AQP", MONDAY, WEDNESDAY, FRIDAY),
        _afternoons("AQP", MONDAY, WEDNESDAY, FRIDAY),
    ),
    _practitioner(
        _person(Role.DENTIST, "Renato", "Bustamante", "Neyra", "male", date(1979, 1, 6), _A),
        "ORT",
        "COP-14450",
        "Ortodoncia, 19 años",
        _mornings("AQP", TUESDAY, THURSDAY),
        _afternoons("LPB", THURSDAY),
        _mornings("LPB", FRIDAY),
    ),
    _practitioner(
        _person(Role.DOCTOR, "Patricia", "Linares", "Pinto", "female", date(1977, 9, 23), _A),
        "MED",
        "CMP-39027",
        "Medicina familiar, 20 años",
        _afternoons("AQP", TUESDAY, THURSDAY),
        _mornings("LPB", WEDNESDAY),
    ),
    _person(Role.NURSE, "Yolanda", "Huanca", "Ccori", "female", date(1991, 6, 1), _A),
    _person(Role.NURSE, "Wilson", "Calle", "Limachi", "male", date(1993, 12, 15), ("LPB",)),
    _person(Role.OPERATOR, "Fiorella", "Medina", "Portugal", "female", date(1995, 2, 20), _A),
    _person(Role.OPERATOR, "Daniela", "Rojas", "Villca", "female", date(1997, 8, 13), ("LPB",)),
    _person(Role.DIGITIZER, "Álvaro", "Cornejo", "Begazo", "male", date(1999, 4, 4), _A),
    _person(Role.AUDITOR, "Silvia", "Núñez", "Valdivia", "female", date(1968, 11, 30), _A),
)

_M = ("ANF", "BOG")

MINERA_STAFF: Final = (
    _person(Role.ADMIN, "Francisca", "Morales", "Soto", "female", date(1981, 2, 18), _M),
    _practitioner(
        _person(Role.DOCTOR, "Rodrigo", "Sepúlveda", "Lagos", "male", date(1976, 6, 7), _M),
        "MOC",
        "RNPI-210334",
        "Medicina del trabajo, gran minería, 20 años",
        _mornings("ANF", *WORKDAYS),
        _afternoons("ANF", MONDAY, TUESDAY, WEDNESDAY),
    ),
    _practitioner(
        _person(
            Role.DOCTOR,
            "Claudia Patricia",
            "Gómez",
            "Barrera",
            "female",
            date(1983, 9, 29),
            ("BOG",),
        ),
        "MOC",
        "RM-110782",
        "Seguridad y salud en el trabajo, 13 años",
        _mornings("BOG", *WORKDAYS),
        _afternoons("BOG", TUESDAY, THURSDAY),
    ),
    _practitioner(
        _person(Role.DOCTOR, "Ignacio", "Vergara", "Pizarro", "male", date(1972, 4, 26), ("ANF",)),
        "CAR",
        "RNPI-158820",
        "Cardiología y ergometría, 24 años",
        _mornings("ANF", TUESDAY, THURSDAY),
        _afternoons("ANF", THURSDAY, FRIDAY),
    ),
    _practitioner(
        _person(Role.DOCTOR, "Javiera", "Contreras", "Muñoz", "female", date(1988, 12, 10), _M),
        "OTO",
        "RNPI-301956",
        "Otorrinolaringología y audiología, 9 años",
        _mornings("ANF", MONDAY, WEDNESDAY, FRIDAY),
    ),
    _practitioner(
        _person(Role.DENTIST, "Felipe", "Tapia", "Olivares", "male", date(1990, 3, 22), _M),
        "ODO",
        "RNPI-345571",
        "Odontología ocupacional, 8 años",
        _mornings("ANF", *WORKDAYS),
    ),
    _practitioner(
        _person(Role.NURSE, "Marcela", "Rojas", "Cortés", "female", date(1986, 7, 31), _M),
        "ENF",
        "RNPI-288410",
        "Enfermería del trabajo, 12 años",
        _mornings("ANF", *WORKDAYS, SATURDAY),
    ),
    _person(Role.NURSE, "Óscar", "Pardo", "Niño", "male", date(1992, 1, 17), ("BOG",)),
    _person(Role.OPERATOR, "Constanza", "Herrera", "Vega", "female", date(1995, 10, 9), _M),
    _person(Role.OPERATOR, "Natalia", "Castro", "Rincón", "female", date(1993, 5, 3), ("BOG",)),
    _person(Role.DIGITIZER, "Matías", "Godoy", "Leiva", "male", date(2000, 8, 25), _M),
    _person(Role.AUDITOR, "Eugenia", "Riquelme", "Donoso", "female", date(1969, 6, 14), _M),
)
