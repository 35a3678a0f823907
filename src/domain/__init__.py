"""The clinic's tables and rules; knows neither HTTP nor how clinics are kept apart."""
