with

lines as (
    select * from {{ source('billing', 'credit_line_items') }}
),

final as (
    select
        lines.line_item_id,
        lines.contract_id,
        lines.service_month,
        lines.basis,
        lines.ordinal,
        lines.entry_type,
        lines.amount,
        lines.currency,
        lines.credit_percent,
        lines.monthly_fee,
        lines.statement_id,
        lines.evidence_sha256,
        lines.run_id,
        lines.chain_position,
        lines.previous_hash,
        lines.line_hash
    from lines
)

select * from final
