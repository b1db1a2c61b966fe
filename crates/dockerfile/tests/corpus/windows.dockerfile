# escape=`
# check=skip=WorkdirRelativePath

FROM mcr.microsoft.com/windows/servercore:ltsc2022
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
WORKDIR C:\app
COPY bin\ C:\app\bin\
RUN Invoke-WebRequest https://example.com/setup.exe -OutFile C:\setup.exe; `
    # quietly
    Start-Process C:\setup.exe -ArgumentList '/quiet' -Wait; `
    Remove-Item C:\setup.exe
ENV APP_HOME="C:\\app" TOOLS=C:\tools
ENTRYPOINT ["C:\\app\\bin\\app.exe"]
