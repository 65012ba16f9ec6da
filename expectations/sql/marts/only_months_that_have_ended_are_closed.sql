-- Rule L5.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

zones as (
    select distinct
        terms_versions.terms_id,
        terms_versions.time_zone
    from raw.terms_versions
),

final as (
    select
        account_months.contract_id as subject,
        concat(
            'its month is not over at ',
            to_char(current_build.as_of, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ) as detail
    from account_months
    cross join audit.current_build
    inner join audit.builds on current_build.run_id = builds.run_id
    left outer join zones on account_months.terms_id = zones.terms_id
    where
        builds.is_closing
        and (
            account_months.status = 'provisional'
            or raw.start_of_day(
                (current_build.service_month + interval '1 month')::date,
                coalesce(zones.time_zone, 'UTC')
            )
            > current_build.as_of
        )
)

select * from final
order by subject
