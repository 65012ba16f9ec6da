-- Rules D4, D6, D8.
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

ordered_segments as (
    select
        segments.*,
        max(segments.ended_at) over (
            partition by segments.contract_id
            order by segments.started_at, segments.ended_at
            rows between unbounded preceding and 1 preceding
        ) as reached_at
    from segments
),

final as (
    select
        ordered_segments.contract_id as subject,
        concat(
            ordered_segments.kind,
            ' from ',
            to_char(
                ordered_segments.started_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
            ),
            ' overlaps another segment, or lies outside the measured period'
        ) as detail
    from ordered_segments
    left outer join account_months
        on ordered_segments.contract_id = account_months.contract_id
    where
        coalesce(
            ordered_segments.reached_at > ordered_segments.started_at, false
        )
        or ordered_segments.started_at >= ordered_segments.ended_at
        or not coalesce(
            ordered_segments.started_at >= account_months.measured_from
            and ordered_segments.ended_at <= account_months.measured_until,
            false
        )
        or ordered_segments.kind not in ('counted', 'excluded', 'unknown')
)

select * from final
order by subject, detail
