# bash completion for onggi: asks the program what could be typed next.

_onggi() {
    local line=${COMP_LINE:0:COMP_POINT} words current prefix word
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] || ${#words[@]} -lt 2 ]] && words+=("")
    current=${words[${#words[@]} - 1]}
    # bash completes only what stands behind the last `:` or `=` of a word.
    prefix=${current%"${current##*[:=]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        COMPREPLY+=("${word#"$prefix"}")
    done < <("${words[0]}" @COMPLETE@ "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o default -F _onggi onggi
