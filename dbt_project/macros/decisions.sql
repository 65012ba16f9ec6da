{#- What a named person's decision is bound to: a digest of the facts, in their
    order. It holds for no other (rules D7 and C7). -#}
{% macro decision_digest(facts) -%}
    encode(
        sha256(
            convert_to(
                jsonb_build_array(
                    {{ facts | join(', ') }}
                )::text,
                'UTF8'
            )
        ),
        'hex'
    )
{%- endmacro %}
