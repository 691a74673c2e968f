#!/bin/sh
# Read by the scripts of ./dev that count words.

# Prints "size path" of text that every Debian has, the plainest first.
texts() {
    for folder in /usr/share/common-licenses /usr/include /usr/share/perl \
        /usr/share/perl5 /usr/lib/*/perl-base /usr/share/doc; do
        if [ -d "$folder" ]; then
            # A newline in a name would end it too early for who reads lines.
            find "$folder" -type f -size +0 -readable ! -name '*
*' -printf '%s %p\n' | LC_ALL=C sort -k 2
        fi
    done
}
