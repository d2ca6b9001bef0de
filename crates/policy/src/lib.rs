//! Pure: policies and a call give allow or deny, with the reason.
