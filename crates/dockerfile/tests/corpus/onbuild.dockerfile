FROM ruby:3.3 AS onbuild
RUN bundle config --global frozen 1
WORKDIR /usr/src/app
ONBUILD COPY --chown=1000:1000 Gemfile Gemfile.lock /usr/src/app/
ONBUILD RUN bundle install
ONBUILD COPY . /usr/src/app
ONBUILD ENV A="b c" \
    D=e
ONBUILD LABEL built=yes
ONBUILD HEALTHCHECK NONE
