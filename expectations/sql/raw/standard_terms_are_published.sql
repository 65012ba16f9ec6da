with

standard_terms (terms_id) as (
    values ('klink-starter'), ('klink-growth'), ('klink-enterprise')
),

final as (
    select
        standard_terms.terms_id as subject,
        'no version of these terms is published' as detail
    from standard_terms
    left outer join raw.terms_versions
        on standard_terms.terms_id = terms_versions.terms_id
    where terms_versions.terms_id is null
)

select * from final
order by subject
