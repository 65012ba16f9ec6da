-- Rule R7: each ticket whose clock ran past its due time earns the percents of
-- its severity, all of them together no more than the cap. Told from its times:
-- the outcome is what they come to. Terms without such credits give no row.
with

account_months as (
    select
        fct_account_months.*,
        terms_versions.response_credits,
        terms_versions.response_credit_cap_percent as cap_percent
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
    left outer join raw.terms_versions
        on
            fct_account_months.terms_id = terms_versions.terms_id
            and fct_account_months.terms_version = terms_versions.terms_version
),

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
    where fct_credits.basis = 'response_time'
),

late_tickets as (
    select fct_response_times.*
    from marts.fct_response_times
    inner join audit.current_build
        on fct_response_times.service_month = current_build.service_month
    where
        fct_response_times.elapsed_seconds
        > extract(
            epoch from
            fct_response_times.due_at - fct_response_times.created_at
        )
),

late_percents as (
    select
        account_months.contract_id,
        sum((given.term ->> 'percent')::numeric) as total
    from account_months
    inner join late_tickets
        on account_months.contract_id = late_tickets.contract_id
    cross join
        lateral jsonb_array_elements(account_months.response_credits)
            as given (term)
    where given.term ->> 'severity' = late_tickets.severity
    group by account_months.contract_id
),

earned as (
    select
        account_months.contract_id,
        account_months.guaranteed,
        account_months.status,
        jsonb_array_length(account_months.response_credits) > 0 as has_credits,
        case
            when late_percents.total > account_months.cap_percent
                then account_months.cap_percent
            else coalesce(late_percents.total, 0)
        end as credit_percent
    from account_months
    left outer join late_percents
        on account_months.contract_id = late_percents.contract_id
),

population as (
    select
        credits.credit_percent,
        credits.contract_id is not null as has_row,
        coalesce(earned.contract_id, credits.contract_id) as contract_id,
        coalesce(earned.has_credits, false) as has_credits,
        case
            when not earned.guaranteed then 0
            when earned.status <> 'provisional' then earned.credit_percent
        end as expected_percent
    from earned
    full outer join credits on earned.contract_id = credits.contract_id
),

final as (
    select
        population.contract_id as subject,
        case
            when population.has_row and not population.has_credits
                then 'response-time credit that its terms do not have'
            when not population.has_row then 'no response-time credit'
            else concat(
                'response-time credit ',
                coalesce(population.credit_percent::text, 'null'),
                ' percent, by its breaches ',
                coalesce(population.expected_percent::text, 'null')
            )
        end as detail
    from population
    where
        population.has_row <> population.has_credits
        or (
            population.has_row
            and population.credit_percent
            is distinct from population.expected_percent
        )
)

select * from final
order by subject
