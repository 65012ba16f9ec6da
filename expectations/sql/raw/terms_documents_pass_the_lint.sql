-- Rule T4. What was rejected in a version of the object that has been
-- overwritten since is mended.
with

population as (
    select objects.*
    from gate.objects
    where objects.feed = 'terms'
),

rejected as (
    select
        population.key,
        quarantined_rows.reason
    from population
    inner join raw.quarantined_rows
        on population.object_id = quarantined_rows.object_id
    union all
    select
        population.key,
        concat_ws(': ', population.reason_code, population.reason) as reason
    from population
    where population.status = 'quarantined'
    union all
    select
        population.key,
        terms_faults.message as reason
    from population
    inner join raw.terms_faults
        on population.object_id = terms_faults.object_id
),

final as (
    select
        rejected.key as subject,
        rejected.reason as detail
    from rejected
)

select * from final
order by subject, detail
