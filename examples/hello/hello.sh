# Greets whoever the environment names.
echo "Hello $NAME"
