#compdef onggi
# zsh completion for onggi: asks the program what could be typed next.

_onggi() {
    local -a found
    local word about
    while IFS=$'\t' read -r word about; do
        found+=("${word//:/\\:}${about:+:$about}")
    done < <("${words[1]}" @COMPLETE@ "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe 'onggi' found
    else
        _files
    fi
}

if [ "$funcstack[1]" = "_onggi" ]; then
    _onggi "$@"
else
    compdef _onggi onggi
fi
