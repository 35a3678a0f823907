"""What is wrong with a single field, by the code of the item, in Spanish and English."""

from typing import Final

from app.messages import Text

FIELDS: Final[dict[str, Text]] = {
    "in_the_past": Text("La hora ya pasó.", "The time has passed."),
    "too_soon": Text("Falta muy poco para esa hora.", "It is too close to that time."),
    "too_far_ahead": Text("La fecha está demasiado lejos.", "The date is too far ahead."),
    "ambiguous": Text("Indique solo una de las dos formas.", "Give only one of the two forms."),
    "in_the_future": Text("La fecha está en el futuro.", "The date is in the future."),
    "password_unchanged": Text(
        "La contraseña nueva es igual a la actual.", "The new password is the present one."
    ),
    "duplicate": Text("Ya existe con este valor.", "Exists with this value already."),
    "ends_before_start": Text("El fin es anterior al inicio.", "The end is before the start."),
    "invalid": Text("El valor no es válido.", "The value is not valid."),
    "invalid_character": Text(
        "El valor tiene un carácter que no se permite.",
        "The value has a character that is not allowed.",
    ),
    "invalid_check_digit": Text(
        "El dígito verificador no corresponde.", "The check digit does not fit."
    ),
    "invalid_choice": Text(
        "El valor no es una de las opciones.", "The value is not one of the choices."
    ),
    "invalid_cursor": Text(
        "El cursor no es de esta lista.", "The cursor does not belong to this list."
    ),
    "invalid_description": Text("La descripción no es válida.", "The description is not valid."),
    "invalid_email": Text("El correo no es válido.", "The e-mail address is not valid."),
    "invalid_format": Text("El formato no es válido.", "The format is not valid."),
    "invalid_name": Text("El nombre no es válido.", "The name is not valid."),
    "invalid_phone": Text("El teléfono no es válido.", "The phone number is not valid."),
    "invalid_reference": Text("No existe en esta clínica.", "Does not exist in this clinic."),
    "invalid_slug": Text("El subdominio no es válido.", "The sub-domain is not valid."),
    "invalid_type": Text("El tipo del valor no es válido.", "The value has the wrong type."),
    "nonexistent_time": Text(
        "Esa hora no existe ese día: los relojes se adelantan.",
        "That time does not exist on that day: the clocks are put forward.",
    ),
    "out_of_range": Text("El valor está fuera del rango permitido.", "The value is out of range."),
    "outside_availability": Text(
        "El profesional no atiende en esa sede a esa hora.",
        "The practitioner does not attend at this branch at that time.",
    ),
    "overlapping_rules": Text(
        "Dos reglas del profesional se superponen el mismo día.",
        "Two rules of the practitioner overlap on the same weekday.",
    ),
    "password_is_name": Text(
        "La contraseña no puede ser su nombre ni su correo.",
        "The password may not be your name or e-mail.",
    ),
    "password_too_long": Text("La contraseña es demasiado larga.", "The password is too long."),
    "password_too_short": Text("La contraseña es demasiado corta.", "The password is too short."),
    "required": Text("El campo es obligatorio.", "The field is required."),
    "too_large": Text("El valor es demasiado grande.", "The value is too large."),
    "too_long": Text("El valor es demasiado largo.", "The value is too long."),
    "too_long_period": Text("El período es demasiado largo.", "The period is too long."),
    "too_short": Text("El valor es demasiado corto.", "The value is too short."),
    "unknown_country": Text("El país no se conoce.", "The country is not known."),
    "unknown_currency": Text("La moneda no se conoce.", "The currency is not known."),
    "unknown_field": Text("El campo no se conoce.", "The field is not known."),
    "unknown_language": Text("El idioma no se conoce.", "The language is not known."),
    "unknown_parameter": Text("El parámetro no se conoce.", "The parameter is not known."),
    "unknown_timezone": Text("La zona horaria no se conoce.", "The time zone is not known."),
    "unknown_vertical": Text("El rubro no se conoce.", "The vertical is not known."),
    "unknown_zone": Text("La zona horaria no se conoce.", "The time zone is not known."),
    "username_is_another_email": Text(
        "El nombre de usuario es el correo de otra persona.",
        "The username is another person's e-mail.",
    ),
    "wrong_password": Text(
        "La contraseña actual no es correcta.", "The current password is not right."
    ),
}
