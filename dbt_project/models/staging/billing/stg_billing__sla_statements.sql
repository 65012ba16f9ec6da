with

statements as (
    select * from {{ source('billing', 'sla_statements') }}
),

final as (
    select
        statements.statement_id,
        statements.contract_id,
        statements.service_month,
        statements.revision
    from statements
)

select * from final
