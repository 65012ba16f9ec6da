-- Rules D4, D6, D8.
with

segments as (
    select fct_account_downtime.*
    from marts.fct_account_downtime
    inner join audit.current_build
        on fct_account_downtime.service_month = current_build.service_month
),

population as (
    select
        segments.*,
        account_months.measured_from,
        account_months.measured_until,
        max(segments.ended_at) over (
            partition by segments.contract_id
            order by segments.started_at, segments.ended_at
            rows between unbounded preceding and 1 preceding
        ) as reached_at
    from segments
    left outer join marts.fct_account_months as account_months
        on
            segments.contract_id = account_months.contract_id
            and segments.service_month = account_months.service_month
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.kind,
            ' from ',
            to_char(
                population.started_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
            ),
            ' overlaps another segment, or lies outside the measured period'
        ) as detail
    from population
    where
        coalesce(
            population.reached_at > population.started_at, false
        )
        or population.started_at >= population.ended_at
        or not coalesce(
            population.started_at >= population.measured_from
            and population.ended_at <= population.measured_until,
            false
        )
        or population.kind not in ('counted', 'excluded', 'unknown')
)

select * from final
order by subject, detail
