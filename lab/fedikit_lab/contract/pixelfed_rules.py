"""What Pixelfed's variables may say: upstream looks at these before anything starts, if they say anything.

The facts are of app/Services/ConfigCacheService.php (September 2026).
"""

from .forms import ANY, FLAG, NUMBER, URL, Form

_RULES = Form(r"\[(\"([^\"\\]|\\.)*\"(, ?\"([^\"\\]|\\.)*\")*)?\]", "a JSON list of sentences")
_QUALITY = Form(r"[1-9][0-9]?|100", "a number from 1 to 100")
_PHOTO = Form(r"[1-9][0-9]{2,8}", "a number, 100 or more")
_ALBUM = Form(r"[1-9]|1[0-9]|20", "a number from 1 to 20")
_QUOTA = Form(r"[5-9][0-9]{4}|[1-9][0-9]{5,8}", "a number, 50000 or more")
_PASSWORD = Form(r"[6-9]|[1-9][0-9]+", "a number, 6 or more")
_CAPTCHA = Form(r"hcaptcha|turnstile|cap", "hcaptcha, turnstile or cap")
_SWITCHES = """
    ACTIVITY_PUB AUTHORIZED_FETCH AWS_USE_PATH_STYLE_ENDPOINT CAPTCHA_ENABLED CAPTCHA_ENABLED_ON_CURATED_REGISTER
    CAPTCHA_ENABLED_ON_LOGIN CAPTCHA_ENABLED_ON_REGISTER CUSTOM_EMOJI ENFORCE_EMAIL_VERIFICATION IMPORT_INSTAGRAM
    INSTANCE_CUR_REG INSTANCE_LANDING_SHOW_DIRECTORY INSTANCE_LANDING_SHOW_EXPLORE INSTANCE_LEGAL_NOTICE
    INSTANCE_POST_EMBEDS INSTANCE_PROFILE_EMBEDS LIMIT_ACCOUNT_SIZE MEDIA_DELETE_LOCAL_AFTER_CLOUD OAUTH_ENABLED
    OPEN_REGISTRATION PF_ACCT_MIGRATION_ENABLED PF_ALLOW_APP_REGISTRATION PF_BOUNCER_ENABLED PF_ENABLE_CLOUD
    PF_LOCAL_AVATAR_TO_CLOUD PF_OPTIMIZE_IMAGES PF_OPTIMIZE_VIDEOS STORIES_ENABLED
""".split()
_NUMBERS = "MAX_AVATAR_SIZE MAX_BIO_LENGTH MAX_CAPTION_LENGTH MAX_NAME_LENGTH PF_MAX_COLLECTION_LENGTH".split()
RULES: dict[str, Form] = {
    **dict.fromkeys(_SWITCHES, FLAG),
    **dict.fromkeys(_NUMBERS, NUMBER),
    "APP_NAME": ANY,
    "AWS_ENDPOINT": URL,
    "AWS_URL": URL,
    "CAPTCHA_DRIVER": _CAPTCHA,
    "IMAGE_QUALITY": _QUALITY,
    "MAX_ACCOUNT_SIZE": _QUOTA,
    "MAX_ALBUM_LENGTH": _ALBUM,
    "MAX_PHOTO_SIZE": _PHOTO,
    "MIN_PASSWORD_LENGTH": _PASSWORD,
    "PF_RULES": _RULES,
}
