{#- Whether an entry or a notice is for a class of accounts: for all (none
    named), or one of the sources that name them (`int_account_sources`). -#}
{%- macro is_addressed_to(account_ids, kind, source_id, source_ids) -%}
(
    cardinality({{ account_ids }}) = 0
    or '{{ kind }}:' || {{ source_id }} = any({{ source_ids }})
)
{%- endmacro -%}


{#- Whether an entry of the register speaks of a scope's (service, region) while
    a terms version is in force, whatever those terms list (rules X2, X6). -#}
{%- macro entry_meets_pair(entries, pairs) -%}
{{ entries }}.period && {{ pairs }}.in_force
and (
    cardinality({{ entries }}.services) = 0
    or {{ pairs }}.service = any({{ entries }}.services)
)
and (
    cardinality({{ entries }}.regions) = 0
    or {{ pairs }}.region = any({{ entries }}.regions)
)
and {{ is_addressed_to(
    entries ~ '.account_ids', 'exclusion', entries ~ '.exclusion_id',
    pairs ~ '.source_ids'
) }}
{%- endmacro -%}


{#- A text in the order of its bytes, whatever the locale of the database. -#}
{%- macro in_byte_order(value) -%}
{{ value }} collate "C"
{%- endmacro -%}
