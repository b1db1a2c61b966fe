# fish completion for onggi: asks the program what could be typed next.

function __onggi_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (command $words[1] @COMPLETE@ $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c onggi -f -a '(__onggi_complete)'
