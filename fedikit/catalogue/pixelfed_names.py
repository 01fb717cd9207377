"""Names that Pixelfed takes, by app/Rules/ValidUsername.php and app/Util/Lexer/RestrictedNames.php of 2025 and 2026."""

USERNAME = "(?=.{2,30}$)[a-z0-9]+(_[a-z0-9]+)?"
USERNAME_WORDS = "have 2 to 30 letters and digits, with one _ between them at most"
# Its own pages are there

RESERVED = tuple(
    """
    a about aboutus abuse account actor actors admin administrator admins api app assets
    audio auth authorize_interaction autoconfig avatar avatars b bartender blog booth bouncer broadcast broadcaster
    broadcasthost browse c cdn checkpoint circle circles collection collections communities community contact
    contact_us copyright costar costars css d dashboard db deck delete deleted deleting dev developer developers
    discover discovers dj dmca doc docs domainadmin domainadministrator download drive driver drives e email emails
    embed emoji emojis error errors events example explore export exports external f faq faqs featured features fedi
    fediverse feed follow follow_me followme follows font fonts ftp g gdpr ghost ghosts global go graph group groups
    guest guests h header headers help help_center help_center_ helpcenter home horizon hostmaster htaccess i image
    images imap img imgs import imports inbox info information instance intent invite invites is isatap it j join js
    k key l lab labs lang language legal link live localdomain localhost location locations login logout look loop
    loops m mail mailerdaemon marketing me media menu micro mini mis music mx my my2020 my2021 my2022 my2023 my2024
    my2025 my2026 my2027 my2028 my2029 my2030 n network networks new news newsfeed newsroom newsrooms nobody noc
    noreply ns0 ns1 ns2 ns3 ns4 ns5 ns6 ns7 ns8 ns9 o oauth official owner p page pages password photo photos pin
    pins pop pop3 portfolio portfolios post postmaster pre pricing privacy private public q query quote r redirect
    redirects register registers report reports reset results review reviews robot robots root s sales sc search
    security sell send settings short shortcode signin signout site sites smtp src ssladmin ssladministrator
    sslwebmaster stage static status statuses storage stories story support svg svgs sys sysadmin system t telescope
    terms timeline timelines tour tutorial tutorials tv u usenet user username usernames users uucp v valet vendor
    video videos w waiter wall web webmaster whatnew whatsnew wpad ws wss www x y year z
    """.split()
)
