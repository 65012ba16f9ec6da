-- Rule D8: what is not counted, excluded or unknown is up, and never less than
-- nothing. An account-month that is blocked, or will be for want of terms, may
-- have no figures, but never some.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        account_months.contract_id as subject,
        concat_ws(
            ' ',
            'measured',
            account_months.measured_seconds,
            'counted',
            account_months.counted_seconds,
            'excluded',
            account_months.excluded_seconds,
            'unknown',
            account_months.unknown_seconds
        ) as detail
    from account_months
    where
        not coalesce(
            account_months.counted_seconds >= 0
            and account_months.excluded_seconds >= 0
            and account_months.unknown_seconds >= 0
            and account_months.counted_seconds
            + account_months.excluded_seconds
            + account_months.unknown_seconds
            <= account_months.measured_seconds
            and account_months.measured_seconds < 1e8,
            (
                account_months.status = 'blocked'
                or account_months.reason in (
                    'terms_unknown', 'terms_not_in_force'
                )
            )
            and num_nulls(
                account_months.counted_seconds,
                account_months.excluded_seconds,
                account_months.unknown_seconds
            ) = 3
        )
)

select * from final
order by subject
