"""What the notice board needs of Django: no database, no sessions, no users."""

import os
import secrets

SECRET_KEY = os.environ.get("BOARD_SECRET_KEY") or secrets.token_urlsafe(32)
ALLOWED_HOSTS = os.environ.get("BOARD_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
ROOT_URLCONF = "board.urls"
ASGI_APPLICATION = "board.asgi.application"
INSTALLED_APPS = ["channels", "board"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
SOCKET_URL = os.environ.get("BOARD_SOCKET_URL", "")  # else the page's own host serves /ws

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "mangum.websockets.channels.ChannelLayer",
        "CONFIG": {"handler": "main.handler"},  # a view may send before any socket is served
    }
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True
