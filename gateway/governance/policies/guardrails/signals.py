"""The signs of an attempt to give the model other instructions: each a bounded pattern over folded text (lower case,
no invisible characters), how much it weighs, and a name that says what was seen.

Heuristics: they know how such attempts are usually worded, not what a text means. Weights add up as ``1 - Π(1 - w)``.
"""

# ruff: noqa: E501 - a pattern is read best in one piece
from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.governance.policies.guardrails import patterns


@dataclass(frozen=True, slots=True)
class Signal:
    """``name`` says what was seen; ``weight`` is between 0 and 1."""

    name: str
    weight: float
    pattern: re.Pattern[str]


_GAP = r"[^.!?\n]{0,40}?"
_OVERRIDE = (
    r"(?:ignore|disregard|forget|override|bypass|skip|drop|discard|neglect|overrule|set aside|pay no attention to"
    r"|do(?: not|n't) (?:follow|obey|comply with)|stop (?:following|obeying)|throw (?:away|out))"
)
_EARLIER = (
    r"(?:previous|prior|earlier|above|preceding|all|any|every|your|system|original|initial|former|existing|these|those)"
)
_RULES = (
    r"(?:instructions?|directions?|rules|guidelines?|prompts?|directives?|constraints|programming|safeguards"
    r"|restrictions|orders|commands|polic(?:y|ies)|guardrails)"
)
_PROMPT = (
    r"(?:system[ -]?prompt|system message|developer message|pre-?prompt|(?:hidden|secret|initial|original|internal|full)"
    r" (?:system )?(?:prompt|instructions?|directives)|your (?:own )?(?:exact |full |system )?(?:instructions|prompt))"
)
_SAY = r"(?:reveal|show|print|repeat|output|display|tell|give|leak|dump|recite|write (?:out|down)|share|disclose|paste|quote)"
_FREE = (
    r"(?:unrestricted|uncensored|unfiltered|jailbroken|amoral|without (?:any |all )?(?:restrictions|limit\w*|filters?"
    r"|rules|censorship|ethic\w*|guidelines|morals)|no (?:longer bound|rules|restrictions|filters|limits|ethic\w*|morals)"
    r"|free (?:of|from) (?:all|any|your) \w+|not bound by|\bdan\b|do anything now|never refuses?)"
)
_PRIVATE = (
    r"(?:conversations?|chat (?:history|log)s?|memor(?:y|ies)|passwords?|credentials?|api[ _-]?keys?|secrets?|tokens?"
    r"|private (?:data|information|messages)|(?:user|customer|personal) (?:data|information|records)|system prompt)"
)
_WHO = r"(?:users?|customers?|subjects?|persons?|people|patients?|tenants?|accounts?|employees?|organi[sz]ations?|clients?)"


def _signal(name: str, weight: float, pattern: str) -> Signal:
    """Written with ``\\w*`` and ``\\w+`` for the end of a word; a word ends within twelve letters."""
    bounded = pattern.replace(r"\w*", r"\w{0,12}").replace(r"\w+", r"\w{1,12}")
    return Signal(name, weight, re.compile(bounded))


ENGLISH = (
    _signal("override", 0.7, rf"(?<!n't )(?<!not )(?<!never )\b{_OVERRIDE}\b{_GAP}\b{_EARLIER}\b[^.!?\n]{{0,30}}?\b{_RULES}\b"),
    _signal("override", 0.65, rf"(?<!n't )(?<!not )(?<!never )\b(?:ignore|disregard|forget) (?:everything|anything|all)\b{_GAP}\b(?:above|before|told|said|so far|previous(?:ly)?|learned)\b"),
    _signal("reveal_prompt", 0.7, rf"\b{_SAY}\b{_GAP}\b{_PROMPT}\b"),
    _signal("reveal_prompt", 0.65, rf"\bwhat (?:is|are|was|were|does|do)\b{_GAP}\b(?:system prompt|hidden (?:instructions|prompt)|initial (?:instructions|prompt)|your (?:exact |full )?(?:instructions|prompt))\b"),
    _signal("reveal_prompt", 0.65, r"\b(?:repeat|print|output|copy|recite)\b (?:all |every\w* )?(?:of )?(?:the )?(?:words|text|everything|lines?|content|messages?|instructions)\b[^.!?\n]{0,20}?\b(?:above|before (?:this|my)|so far)\b"),
    _signal("reveal_prompt", 0.65, r"\b(?:translate|summari[sz]e|encode|rephrase|list)\b (?:all |every )?(?:of )?(?:the |your )?(?:instructions|rules|directives|guidelines)\b[^.!?\n]{0,20}?\b(?:above|before (?:this|my)|you (?:were given|have been given|follow))\b"),
    _signal("new_role", 0.65, rf"\b(?:you (?:are|'re|will be|become)|act|behave|pretend|respond|answer|role-?play|simulate|imagine|play)\b[^!?\n]{{0,80}}?{_FREE}"),
    _signal("new_role", 0.3, r"\b(?:you are now|from now on,? you|henceforth you|you will now (?:act|play|be|become))\b"),
    _signal("special_mode", 0.65, r"\b(?:you(?:'re| are) (?:now )?in|you have entered|enter(?:ing)? into|respond in|switch (?:yourself )?to|act in)\b[^.!?\n]{0,20}?\b(?:developer|debug|god|admin|maintenance|jailbreak|dan|sudo|root|unrestricted|opposite|training) mode\b"),
    _signal("special_mode", 0.6, r"\b(?:god|jailbreak|dan|sudo|unrestricted|opposite) mode\b(?: (?:is )?(?:enabled|activated|on|engaged|unlocked))?"),
    _signal("special_mode", 0.4, r"\b(?:developer|debug|admin|maintenance) mode\b[^.!?\n]{0,10}?\b(?:enabled|activated|engaged|unlocked)\b"),
    _signal("special_mode", 0.7, r"\bdo anything now\b"),
    _signal("safety_off", 0.65, r"\b(?:disable|turn off|switch off|deactivate|remove|lift|suspend|bypass|circumvent|get around|drop)\b[^.!?\n]{0,25}?\b(?:your|the model's|the assistant's|the ai's)\b[^.!?\n]{0,25}?\b(?:filters?|guardrails?|restrictions|safeguards?|safety|censorship|limitations|ethics|moderation|polic(?:y|ies))\b"),
    _signal("safety_off", 0.6, r"\b(?:content|safety|moderation|ethic(?:s|al)) (?:filters?|guidelines?|polic(?:y|ies)|restrictions|rules)\b[^.!?\n]{0,30}?\b(?:do(?:es)? not apply|don't apply|are (?:off|disabled|suspended|lifted)|no longer appl\w+)\b[^.!?\n]{0,12}?\b(?:to you|here|now|any ?more|(?:in|to|for) this (?:conversation|chat|session))\b"),
    _signal("fake_turn", 0.65, r"<\|(?:im_start|im_end|system|user|assistant|endoftext|begin_of_text|start_header_id|eot_id)\|>|\[/?inst\]|<</?sys>>|</?(?:system|system_prompt|instructions?)>"),
    _signal("fake_turn", 0.4, r"(?:^|\n)\s{0,8}(?:#{1,6} ?|\*{2}|\[)?(?:system|developer|system prompt|system message|new instructions?)(?:\*{2}|\])?\s{0,4}:"),
    _signal("fake_turn", 0.5, r"\b(?:end|end of|close|stop of) (?:the )?(?:user|untrusted|document|context|input|system prompt|conversation)(?: (?:input|data|content|document|text|message|prompt))?\b[^\w\n]{0,6}(?:\n|new|begin|start|system|admin)"),
    _signal("authority", 0.55, r"\b(?:i am|i'm|this is|message from|speaking as|on behalf of)\b[^.!?\n]{0,20}?\b(?:your (?:developer|creator|administrator|admin|owner|maker|programmer)|the (?:developers?|system administrator|creator) of (?:you|this (?:ai|bot|assistant|model))|openai|anthropic|the ai safety team)\b"),
    _signal("authority", 0.5, r"\b(?:system|admin(?:istrator)?|security|developer|emergency|root|policy) (?:override|overwrite)\b\s{0,2}[:!.\]]"),
    _signal("new_orders", 0.5, r"\b(?:new|updated|revised|real|actual|true) (?:system )?(?:instructions?|directives?|prompt|orders|objective)(?: (?:are|is|follow))?\s{0,2}:"),
    _signal("new_orders", 0.4, r"\b(?:your (?:new|real|true|only|actual) (?:task|goal|purpose|job|instructions?|role|objective|mission))\b"),
    _signal("secrecy", 0.5, r"\b(?:without|do(?: not|n't)|never)\b[^.!?\n]{0,15}?\b(?:tell(?:ing)?|ask(?:ing)?|inform(?:ing)?|alert(?:ing)?|mention(?:ing)?|notify(?:ing)?|warn(?:ing)?)\b[^.!?\n]{0,12}?\b(?:the (?:user|human|customer|operator|person)|this (?:instruction|message|prompt)|that you (?:received|were|got))\b"),
    _signal("exfiltrate", 0.6, rf"\b(?:send|forward|post|e-?mail|upload|transmit|exfiltrate|leak|copy|append|encode)\b[^.!?\n]{{0,60}}?\b{_PRIVATE}\b[^!?\n]{{0,60}}?(?:https?://|[\w.+-]{{1,40}}@[\w-]{{1,40}}\.|\bthis (?:url|address|webhook|server)\b)"),
    _signal("exfiltrate", 0.65, r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{0,120}[?&/](?:[a-z_]{0,20}(?:data|history|secret|prompt|conversation|memory|leak|q|c)[a-z_]{0,20}=)?[^)\s]{0,40}[\[{<$]"),
    _signal("tools", 0.6, r"\b(?:call|invoke|execute|run|use|trigger)\b[^.!?\n]{0,30}?\b(?:tools?|functions?|plugins?|shell|command|api|code)\b[^.!?\n]{0,50}?\b(?:without (?:asking|approval|confirm\w*|permission|telling|review)|silently|secretly|regardless of|even if (?:it is )?(?:not allowed|forbidden|denied))\b"),
    _signal("tools", 0.6, r"\b(?:approve|accept|auto-?approve|confirm)\b[^.!?\n]{0,12}?\b(?:all|every|any) (?:pending |open |future |write ){0,2}(?:proposals?|writes?|transactions?|actions?|requests?)\b[^.!?\n]{0,30}?\b(?:without|automatically|immediately|silently|yourself|on (?:my|their) behalf)\b"),
    _signal("other_people", 0.6, rf"\b(?:show|tell|list|give|reveal|recall|read|print|dump|access|retrieve|what)\b[^.!?\n]{{0,40}}?\b(?:other|another|different|all (?:the )?(?:other )?|every(?: other)?) ?{_WHO}(?:'s?|s')?[^.!?\n]{{0,25}}?\b(?:memor(?:y|ies)|messages|conversations?|secrets?|passwords?|private|chats?|personal data|told you|said to you|confided)\b"),
    _signal("other_people", 0.6, rf"\b(?:memories|messages|conversations?|secrets?|passwords?|chats?|personal data|private \w+)\b (?:of|from|about|belonging to|with) (?:every|all|any|another|the|some|a different)? ?(?:other|another|different) {_WHO}\b"),
    _signal("to_the_model", 0.6, r"\b(?:notes?|message|attention|instructions?|notice|hey|dear|reminder)\b[^.!?\n]{0,12}?\b(?:to|for)?\s?(?:any |the |all )?(?:ai|llm|language model|chat ?bot)s?\b[^.!?\n]{0,30}?(?:[:,]|\breading\b|\bprocessing\b|\bsummari[sz]ing\b)"),
    _signal("to_the_model", 0.6, r"\b(?:if|when|as) (?:you are|you're) (?:an? )?(?:ai|llm|language model|ai assistant|ai agent|automated (?:system|agent))\b[^.!?\n]{0,60}?\b(?:must|should|please|then|always|rate|recommend|say|reply|include|approve|summari[sz]e)\b"),
    _signal("no_matter", 0.35, r"\bno matter what (?:you were|the rules|your|anyone)\b|\bnever refuse\b"),
    _signal("must_obey", 0.4, r"\b(?:you (?:must|will|have to|shall|are required to) (?:now )?(?:obey|comply|do (?:exactly )?(?:as|what) i say|always (?:say yes|agree|answer|comply)|never refuse)|obey (?:me|my (?:every )?(?:command|word|order)s?))\b"),
    _signal("encoded", 0.6, r"\b(?:decode|decrypt|deobfuscate|unscramble|reverse)\b[^!?\n]{0,60}?\b(?:and|then)\b[^.!?\n]{0,15}?\b(?:follow|execute|obey|do (?:what|as) it|run|comply|carry out|act on)\b"),
    _signal("fiction", 0.45, r"\b(?:hypothetical(?:ly)?|fiction(?:al)?|story|novel|game|grandm(?:a|other)|thought experiment)\b[^!?\n]{0,100}?\b(?:no (?:rules|laws|ethic\w*|restrictions|filters)|without (?:restrictions|filters|rules|warnings)|bypass|step[- ]by[- ]step (?:bomb|weapon|explosive|malware)|used to (?:read|tell|recite) me)\b"),
    _signal("invisible", 0.6, r"<!--[^>]{0,60}?\b(?:assistant|ai|instruction|ignore|system|llm)\b|\b(?:font-size:\s?0|display:\s?none|color:\s?white)\b[^\n]{0,80}?\b(?:ignore|instruction|assistant|ai|system)\b"),
)  # fmt: skip
# The same two requests as they are worded elsewhere: let go of your rules, show your prompt.
OTHERS = (
    _signal("override_de", 0.7, r"\b(?:ignorier\w*|vergiss|vergessen sie|missacht\w+|verwirf|umgeh\w*)\b[^.!?\n]{0,40}?\b(?:anweisung\w*|instruktion\w*|regeln|vorgaben|befehle?|richtlinien|systemprompts?|einschränkungen)\b"),
    _signal("reveal_de", 0.65, r"\b(?:zeig\w*|verrat\w*|gib|nenne?|wiederhol\w*|drucke)\b[^.!?\n]{0,30}?\b(?:system-?prompts?|system-?anweisung\w*|(?:deine|ihre|geheimen?|versteckten?|ursprünglichen?)\w* (?:anweisungen|instruktionen|prompt))\b"),
    _signal("role_de", 0.65, r"\b(?:du bist (?:jetzt|nun|ab sofort)|tu so als|verhalte dich)\b[^!?\n]{0,60}?\b(?:ohne (?:jede |alle )?(?:regeln|einschränkungen|filter|grenzen)|uneingeschränkt\w*|unzensiert\w*)\b"),
    _signal("override_fr", 0.7, r"\b(?:ignore[sz]?|ignorer|oublie[sz]?|oublier|ne tien(?:s|t|ez) (?:pas|plus) compte|fais abstraction|désobéis)\b[^.!?\n]{0,20}?(?:\b(?:les|tes|vos|ses|ces|mes|toutes|des|aux)\b|\bl')[^.!?\n]{0,30}?\b(?:instructions?|consignes?|directives?|règles)\b"),
    _signal("reveal_fr", 0.65, r"\b(?:montre\w*|révèle\w*|affiche\w*|répète\w*|donne\w*)\b[^.!?\n]{0,30}?\b(?:prompt système|invite système|instructions? (?:système|initiales?|cachées?)|(?:tes|vos) (?:instructions|consignes))\b"),
    _signal("override_es", 0.7, r"\b(?:ignor[ae]\w*|olvid[ae]\w*|haz caso omiso|hagan? caso omiso|descart[ae]\w*|omit[ae]\w*)\b[^.!?\n]{0,40}?\b(?:instrucciones|reglas|indicaciones|órdenes|directrices|normas)\b"),
    _signal("reveal_es", 0.65, r"\b(?:muestra\w*|muéstra\w*|revela\w*|dime|repite|imprime)\b[^.!?\n]{0,30}?\b(?:prompt (?:del|de) sistema|instrucciones (?:ocultas|iniciales|del sistema|secretas)|tus instrucciones)\b"),
    _signal("override_it", 0.7, r"\b(?:ignora\w*|dimentica\w*|trascura\w*|non (?:seguire|considerare))\b[^.!?\n]{0,40}?\b(?:istruzioni|regole|direttive|indicazioni)\b"),
    _signal("override_pt", 0.7, r"\b(?:ignor[ae]\w*|esqueç[ao]\w*|esquece|desconsider[ae]\w*)\b[^.!?\n]{0,40}?\b(?:instruções|regras|diretrizes|ordens|orientações)\b"),
    _signal("override_nl", 0.7, r"\b(?:negeer|vergeet|sla)\b[^.!?\n]{0,40}?\b(?:instructies|regels|aanwijzingen|opdrachten|richtlijnen)\b"),
    _signal("override_pl", 0.7, r"\b(?:z?ignoruj\w*|zapomnij\w*|pomiń)\b[^.!?\n]{0,40}?\b(?:instrukcj\w+|polece\w+|zasad\w*|reguł\w*|wytyczn\w+)\b"),
    _signal("override_ru", 0.7, r"\b(?:игнорируй\w*|проигнорируй\w*|забудь\w*|не обращай внимания на)\b[^.!?\n]{0,40}?\b(?:инструкци\w+|правил\w*|указани\w+|команд\w*|ограничени\w+)\b"),
    _signal("reveal_ru", 0.65, r"\b(?:покажи\w*|выведи\w*|повтори\w*|раскрой\w*)\b[^.!?\n]{0,30}?\b(?:системн\w+ (?:промпт|инструкци|сообщени)\w*|скрыт\w+ инструкци\w*)"),
    _signal("override_tr", 0.7, r"\b(?:talimat\w*|kural\w*|yönerge\w*|komut\w*)\b[^.!?\n]{0,20}?\b(?:yok say\w*|unut\w*|görmezden gel\w*|dikkate alma\w*)"),
    _signal("override_zh", 0.7, r"(?:忽略|无视|無視|忽視|忘记|忘記|不要理会|不要遵守)[^。!?\n]{0,12}(?:指令|指示|规则|規則|提示|命令|设定|限制)"),
    _signal("reveal_zh", 0.65, r"(?:显示|顯示|告诉我|告訴我|输出|輸出|重复|重複|透露)[^。!?\n]{0,10}(?:系统提示|系統提示|提示词|提示詞|初始指令|隐藏指令)"),
    _signal("override_ja", 0.7, r"(?:以前|これまで|上記|前|すべて|全て|あなた)[^。!?\n]{0,10}(?:指示|命令|ルール|プロンプト|制約)[^。!?\n]{0,6}(?:無視|忘れ|破棄)"),
    _signal("reveal_ja", 0.65, r"システムプロンプト[^。!?\n]{0,8}(?:表示|教え|出力|見せ|開示)"),
    _signal("override_ko", 0.7, r"(?:이전|위의|모든|앞의|기존)[^.!?\n]{0,10}(?:지시|명령|규칙|지침)[^.!?\n]{0,6}(?:무시|잊)"),
    _signal("override_ar", 0.7, r"(?:تجاهل|انس|تجاوز)[^.!؟\n]{0,25}(?:التعليمات|الأوامر|القواعد|تعليمات)"),
    _signal("override_hi", 0.7, r"(?:पिछले|सभी|पूर्व|पहले)[^।!?\n]{0,20}(?:निर्देश|नियम)[^।!?\n]{0,14}(?:अनदेखा|नज़रअंदाज़|भूल|अनदेखी)"),
)  # fmt: skip
SIGNALS = (*ENGLISH, *OTHERS)
# So many characters a pattern reads from its first one at most, and what stands right behind it.
WIDEST = max(patterns.width(signal.pattern.pattern) for signal in SIGNALS) + 2
