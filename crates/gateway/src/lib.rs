//! Users' own HTTP: function URLs become invocations.
