FROM nginx:1.27-alpine
RUN rm /etc/nginx/conf.d/default.conf
COPY <<'EOF' /etc/nginx/conf.d/site.conf
server {
    listen 80;
    root /usr/share/nginx/html;
    location / {
        try_files $uri $uri/ /index.html;
    }
}
EOF
COPY --chmod=644 public/ /usr/share/nginx/html/
EXPOSE 80
STOPSIGNAL SIGQUIT
