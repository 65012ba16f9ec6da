-- Rule P5.
with

accounts as (
    select distinct on (accounts.account_id) accounts.*
    from raw.accounts
    inner join raw.source_objects
        on accounts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        accounts.account_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        accounts.line_number desc
),

mart_accounts as (
    select
        fct_account_months.account_id,
        fct_account_months.service_month,
        'fct_account_months' as mart
    from marts.fct_account_months
    union
    select
        fct_credits.account_id,
        fct_credits.service_month,
        'fct_credits' as mart
    from marts.fct_credits
    union
    select
        fct_claims.account_id,
        fct_claims.service_month,
        'fct_claims' as mart
    from marts.fct_claims
    union
    select
        fct_response_times.account_id,
        fct_response_times.service_month,
        'fct_response_times' as mart
    from marts.fct_response_times
),

final as (
    select
        mart_accounts.account_id as subject,
        concat('a sandbox account in ', mart_accounts.mart) as detail
    from mart_accounts
    inner join accounts
        on mart_accounts.account_id = accounts.account_id
    inner join audit.current_build
        on mart_accounts.service_month = current_build.service_month
    where accounts.is_sandbox
)

select * from final
order by subject, detail
