"""The base corpus's words: common English, by the place that they can take in a sentence."""


def _list(text: str) -> list[str]:
    return text.split()


WOMEN = _list("""
Alice Amy Anna Ava Beth Betty Carol Chloe Clara Diana Donna Elena Ella Emma Eva Fiona Grace Hannah
Helen Iris Jane Jenny Julia Julie June Kate Kelly Laura Lisa Lucy Maria Mary Megan Mia Molly Nancy
Natalia Nora Olivia Pam Paula Rachel Ruth Sara Sofia Sophia Susan Tara Tina Wendy Zoe
""")
MEN = _list("""
Adam Alan Albert Ben Bob Brian Bruce Carl Chris Dan Daniel David Eric Evan Felix Frank Gary George
Greg Henry Hugo Ivan Jack Jacob Jake James Jim Joe John Joseph Keith Ken Kevin Kyle Leo Luke Mark
Max Michael Mike Nick Noah Oscar Paul Peter Randy Ray Rob Robert Ryan Sam Simon Tim Toby Tom
Victor Walter William
""")
THINGS = _list("""
apples badges balloons bananas beads blocks books bowls boxes bracelets buttons candles cards
coins cookies crayons cupcakes cups dolls donuts erasers flags flowers grapes keychains kites
leaves lemons lollipops magnets marbles markers muffins notebooks oranges peaches pears pencils
pens plums postcards puzzles ribbons rings rulers shells stamps stickers tacos toys tulips
whistles
""")
PEOPLE = _list("""
adults boys children cousins friends girls guests passengers people players riders
""")
PERSON = _list("""
adult baker buyer child clerk coach driver farmer friend neighbor owner teacher worker everyone
""")
PLACES = _list("""
bakery bank bridge circus city club fair garden hills hotel house library market museum orchard
park pool river school sea shop station store zoo
""")
OBJECTS = _list("""
basket barrel bag bed bike bill blanket board book bottle box bus camera card chair class clock
crate drawer film guitar hole jacket job juice key lamp leak lid line list lunch mirror money
month novel oil order oven part party phone piece pile pot present price pump ride roll row sale
set shelf shirt single stand stop storm story sum table tank taxi team ticket toy train trip truck
van wallet water window
""")
PLURALS = _list("""
bags baskets beds cars cartons cards crates dollars doors games groups hands hours liters meters
miles months orders packages packs pages pans parts pieces players rolls rows sales sets steps
teams tickets times trains trays trees vans weeks years
""")
ADJECTIVES = _list("""
bad better cheaper complete enough equal equally extra fair far first fresh full good large last
less long more new next old only other own quiet same second single wet whole young deep
""")
VERBS = _list("""
arrive belong bring buy carry climb come cut do drive find finish follow get go have hold join
keep lead leak lie look make match need offer order own pay place plant play put read remain rest
return ride run see sell set sit stand start stay stop take tell try turn wait walk want
""")
VERBS_S = _list("""
asks begins brings buys costs counts covers divides does drives earns fills gets gives goes grows
hands has holds keeps knows leaks leaves lies likes lists looks loses lowers makes needs orders
owns packs pays places plants puts reaches reads remains saves sets shares spends takes walks
wants works
""")
VERBS_D = _list("""
added asked began bought broke broken brought built came cared caught climbed collected cost
counted crushed cut died divided did done earned entered fell filled finished followed found gave
given gone got had held joined left lost made moved needed opened paid picked placed planted put
ran read received returned saw sent set shared sold spent stood taken threw told took used washed
went wore worked
""")
ADVERBS = _list("""
again all already another anyway apart apiece aside away back before behind down else ever
everything extra further home however inside later much nearby never now off only out over quickly
so still then there through today together too twice up weekly gone
""")
PREPOSITIONS = _list("""
after at because before behind by during for from in inside into like of off on out over per since
than through to toward until with without while as if when where whose that
""")
DETERMINERS = _list("""
a an the this that these those each every no one two three four both many much her its what which
all half him them me it they he she i
""")
OPENERS = _list("""
After Afterwards All Also An Another At Because Behind Both Compared During Each Early Every
Everyone For From Grandma He How If In Inside It Last Later Most Near Nobody Now Of On One Our
People Sadly She That The Then There They This Those Today Together Under We What When Where With
Without Yesterday Adults Children Count Monday Tuesday Saturday Sunday
""")
EXTRAS = _list("""
So For Now
Add Answer Divide First Lose Make Multiply Put Question Second Share Split Start Take
ate burned dropped eaten leaked lines person persons points seats thrown
pretzels A To change how ones reading who oil Grandma Last
amount calls center day days dinner distance end evening everything family father fruit games
group hour income kinds left mile milk morning night number numbers pair pairs piggy place pool
pounds problem question rest result river season size speed spring start step team things times
total value walk way week weight winter word words year are be can did does had has have is it
must was were will none or and but old older younger fewer least minus plus divided doubled
removed grows drops hold
""")


def every_word() -> list[str]:
    """List every word once, sorted."""
    groups = (
        WOMEN, MEN, THINGS, PEOPLE, PERSON, PLACES, OBJECTS, PLURALS, ADJECTIVES, VERBS, VERBS_S,
        VERBS_D, ADVERBS, PREPOSITIONS, DETERMINERS, OPENERS, EXTRAS,
    )  # fmt: skip
    return sorted({word for group in groups for word in group})
