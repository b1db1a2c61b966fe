FROM debian:12
ARG GREETING="hello world"
RUN <<EOF
set -e
apt-get update
apt-get install -y curl \
  git
EOF
RUN <<SETUP python3
import os
print("${HOME}", os.getcwd())
SETUP
COPY <<one.txt <<-"two.txt" /etc/notes/
greeting: $GREETING \$kept
one.txt
	literal $GREETING
	two.txt
RUN cat <<A >/a && cat <<B >/b
1
A
2
B
ONBUILD RUN <<LATER
make
LATER
RUN <<EOF cat > /last
# not a comment
FROM nothing
EOF
