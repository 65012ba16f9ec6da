-- Rule D8, to the microsecond. A blocked account-month may have no figures.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

segments as (
    select fct_account_downtime.*
    from marts.fct_account_downtime
    inner join audit.current_build
        on fct_account_downtime.service_month = current_build.service_month
),

segment_seconds as (
    select
        segments.contract_id,
        segments.kind,
        sum(
            extract(epoch from segments.ended_at)
            - extract(epoch from segments.started_at)
        ) as seconds
    from segments
    group by segments.contract_id, segments.kind
),

account_month_seconds as (
    select
        account_months.contract_id,
        kinds.kind,
        kinds.seconds
    from account_months
    cross join lateral (
        values
        ('counted', account_months.counted_seconds),
        ('excluded', account_months.excluded_seconds),
        ('unknown', account_months.unknown_seconds)
    ) as kinds (kind, seconds)
),

population as (
    select
        account_month_seconds.seconds as account_month_seconds,
        coalesce(segment_seconds.seconds, 0) as segment_seconds,
        coalesce(
            account_month_seconds.contract_id, segment_seconds.contract_id
        ) as contract_id,
        coalesce(account_month_seconds.kind, segment_seconds.kind) as kind
    from account_month_seconds
    full outer join segment_seconds
        on
            account_month_seconds.contract_id = segment_seconds.contract_id
            and account_month_seconds.kind = segment_seconds.kind
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.kind,
            ': the account-month says ',
            coalesce(population.account_month_seconds::text, 'nothing'),
            ' s, its segments ',
            population.segment_seconds,
            ' s'
        ) as detail
    from population
    where
        coalesce(population.account_month_seconds, 0)
        <> population.segment_seconds
)

select * from final
order by subject, detail
