-- What somebody was asked back, found for their own page without reading all that waits.
set local search_path = interlock, pg_catalog;

create index review_asked on review (tenant, asked_to) where asked_to is not null and state in ('open', 'claimed');
create index exception_asked on exception (tenant, asked_to) where asked_to is not null and state = 'open';
