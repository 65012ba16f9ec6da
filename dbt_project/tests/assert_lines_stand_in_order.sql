-- Fails if a line is missing before another, follows another's hash, or rests
-- on no statement of its own account-month: what was deleted in the books, or
-- slipped in, shows (rules L1, L2 and L6). What was dropped at their end, and
-- what the hashes are of, only the ledger's own verification sees.
{{ config(tags=['ledger']) }}
with

lines as (
    select * from {{ ref('stg_billing__credit_line_items') }}
),

statements as (
    select * from {{ ref('stg_billing__sla_statements') }}
),

numbered as (
    select
        lines.*,
        row_number() over (
            partition by lines.contract_id, lines.service_month, lines.basis
            order by lines.ordinal
        ) as expected_ordinal,
        row_number() over (order by lines.chain_position) as expected_position,
        lag(lines.line_hash, 1, lines.previous_hash) over (
            order by lines.chain_position
        ) as expected_hash
    from lines
),

final as (
    select
        numbered.contract_id,
        numbered.service_month,
        format(
            'line %s: ordinal %s for %s, position %s for %s, statement %s',
            numbered.line_item_id,
            numbered.ordinal,
            numbered.expected_ordinal,
            numbered.chain_position,
            numbered.expected_position,
            statements.statement_id
        ) as problem
    from numbered
    left outer join statements
        on
            numbered.statement_id = statements.statement_id
            and numbered.contract_id = statements.contract_id
            and numbered.service_month = statements.service_month
    where
        numbered.ordinal <> numbered.expected_ordinal
        or numbered.chain_position <> numbered.expected_position
        or numbered.previous_hash <> numbered.expected_hash
        or statements.statement_id is null
)

select * from final
