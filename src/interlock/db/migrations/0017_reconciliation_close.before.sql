-- What the reconciliation's close needs, and the step at which workflow code asks for a person.
set local search_path = interlock, pg_catalog;

alter type step_kind add value 'ask';
