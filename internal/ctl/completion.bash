# Words with : and = in them, such as addresses, arrive here in pieces. The
# package bash-completion puts them together; without it these do.
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    _get_comp_words_by_ref() { # sets cur, prev, words and cword of the caller
        local i piece last=-1 line=$COMP_LINE joined=
        words=()
        for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
            piece=${COMP_WORDS[i]}
            if [[ $last -ge 0 && $line != [[:space:]]* && ($joined == *[:=] || $piece == [:=]*) ]]; then
                joined+=$piece
            else
                joined=$piece
                last=$((last + 1))
            fi
            words[last]=$joined
            line=${line#"${line%%[![:space:]]*}"}
            line=${line#"$piece"}
            if [[ $i -eq $COMP_CWORD ]]; then
                cword=$last
            fi
        done
        cur=${words[cword]}
        prev=
        if [[ $cword -gt 0 ]]; then
            prev=${words[cword - 1]}
        fi
    }
fi
if ! declare -F __ltrim_colon_completions >/dev/null 2>&1; then
    __ltrim_colon_completions() { # bash replaces what comes after the last colon only
        if [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]]; then
            local i done=${1%"${1##*:}"}
            for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
                COMPREPLY[i]=${COMPREPLY[i]#"$done"}
            done
        fi
    }
fi

