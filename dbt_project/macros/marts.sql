{#- Clears the current build's service month from a mart, in the transaction
    that appends its rows again. The `ref` stands outside of the condition, or
    dbt would not see that the mart depends on it. -#}
{% macro delete_month_of_build() -%}
    {%- set current_build = ref('stg_audit__current_build') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where service_month = (
            select current_build.service_month
            from {{ current_build }} as current_build
        )
    {%- endif -%}
{%- endmacro %}
