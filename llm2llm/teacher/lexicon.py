"""English first names, and countable things by kind."""

# Of each pair of lists the first is recognized and written, the second only recognized.
_WOMEN = """
Amy Anna Ava Beth Chloe Clara Diana Emma Eva Fiona Grace Hannah Helen Iris Jane Jenny Julia
Julie Kate Kelly Laura Lisa Lucy Maria Mary Mia Molly Nancy Natalia Nora Olivia Paula Rachel
Ruth Sara Sophia Susan Tina Wendy Zoe
"""
_MORE_WOMEN = """
Abigail Alice Alicia Alyssa Amanda Amber Andrea Angela Angie Anne Annie Barbara Becky Betty
Brenda Brittany Brooke Candice Carla Carol Caroline Catherine Cathy Charlotte Cheryl Christina
Cindy Claire Cynthia Daisy Daniela Danielle Deborah Denise Donna Doris Dorothy Elena Elise Eliza
Elizabeth Ella Ellen Emily Erica Erin Esther Evelyn Gabriella Gina Gloria Haley Heather Heidi
Irene Isabel Isabella Jackie Janet Janice Jasmine Jennifer Jessica Jill Joan Joanna Joyce Judy
Karen Karla Katherine Kathy Katie Kendra Kim Kimberly Krista Kristen Kristin Kylie Lara Lauren
Leah Lena Lila Linda Lindsay Liz Lola Louise Lydia Madeline Madison Mandy Margaret Marie Marissa
Martha Maya Megan Melanie Melissa Michelle Miranda Monica Naomi Natalie Natasha Nicole Nina Pam
Pamela Patricia Penelope Penny Priscilla Rebecca Rita Roberta Rosa Sally Samantha Sandra Sandy
Sarah Sharon Sheila Shelly Sofia Sonia Stacy Stella Stephanie Sue Suzy Tamara Tammy Tanya Tara
Teresa Tracy Valerie Vanessa Vera Veronica Vicky Victoria Violet Virginia Yolanda Yvonne
"""
_MEN = """
Adam Albert Ben Bob Carl David Eric Frank George Greg Henry Ivan Jack Jake James Joe John Joseph
Ken Kevin Leo Luke Mark Max Michael Mike Nick Noah Oscar Paul Peter Randy Robert Ryan Sam Tim
Toby Tom Victor William
"""
_MORE_MEN = """
Aaron Abraham Adrian Alan Alfred Allen Alvin Andrew Andy Anthony Antonio Arnold Arthur Austin
Barry Benjamin Bernie Bill Billy Bobby Brad Bradley Brandon Brian Bruce Bryan Caleb Calvin
Carlos Chad Charles Charlie Chris Christopher Cody Colin Craig Dan Daniel Danny Darren Dave Dean
Dennis Derek Diego Don Donald Doug Douglas Dylan Earl Ed Eddie Edgar Edward Edwin Eli Elijah
Ethan Evan Felix Fernando Fred Frederick Gary Gerald Gordon Harold Harry Harvey Howard Ian Isaac
Jacob Jared Jason Jay Jeff Jeffrey Jeremy Jerry Jim Jimmy Joel Johnny Jon Jonathan Jose Josh
Joshua Juan Julian Justin Keith Kenneth Kenny Kyle Larry Lawrence Leonard Levi Liam Logan Louis
Lucas Marcus Mario Martin Marvin Mason Matt Matthew Mitch Mitchell Nathan Neil Nicholas Nolan
Oliver Omar Owen Patrick Pedro Perry Phil Philip Phillip Ralph Ray Raymond Richard Rick Ricky
Robbie Rodney Roger Ron Ronald Ross Roy Russell Scott Sean Sebastian Seth Simon Stan Stanley
Stephen Steve Steven Stuart Ted Terrence Theo Thomas Todd Tommy Tony Travis Trevor Troy Tyler
Vince Vincent Wade Walter Warren Wayne Zach Zachary Zack
"""
WOMEN = _WOMEN.split()
MORE_WOMEN = _MORE_WOMEN.split()
MEN = _MEN.split()
MORE_MEN = _MORE_MEN.split()

# Kinds, each with (singular, plural); a thing becomes another of its kind.
THINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "fruit": (
        ("apple", "apples"),
        ("orange", "oranges"),
        ("pear", "pears"),
        ("banana", "bananas"),
        ("peach", "peaches"),
        ("plum", "plums"),
    ),
    "sweets": (
        ("cookie", "cookies"),
        ("cupcake", "cupcakes"),
        ("muffin", "muffins"),
        ("donut", "donuts"),
        ("pretzel", "pretzels"),
        ("lollipop", "lollipops"),
    ),
    "stationery": (
        ("book", "books"),
        ("pencil", "pencils"),
        ("notebook", "notebooks"),
        ("pen", "pens"),
        ("marker", "markers"),
        ("ruler", "rulers"),
    ),
    "collection": (
        ("marble", "marbles"),
        ("sticker", "stickers"),
        ("card", "cards"),
        ("coin", "coins"),
        ("balloon", "balloons"),
        ("toy", "toys"),
        ("shell", "shells"),
        ("stamp", "stamps"),
        ("button", "buttons"),
        ("ribbon", "ribbons"),
        ("candle", "candles"),
        ("flower", "flowers"),
        ("doll", "dolls"),
        ("block", "blocks"),
        ("kite", "kites"),
        ("puzzle", "puzzles"),
        ("postcard", "postcards"),
        ("badge", "badges"),
        ("keychain", "keychains"),
        ("ring", "rings"),
    ),
}
MORE_THINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "fruit": (("lemon", "lemons"), ("mango", "mangoes"), ("lime", "limes")),
    "sweets": (("brownie", "brownies"), ("cake", "cakes"), ("doughnut", "doughnuts")),
    "stationery": (("eraser", "erasers"), ("crayon", "crayons"), ("folder", "folders")),
    "collection": (
        ("bracelet", "bracelets"),
        ("magnet", "magnets"),
        ("bead", "beads"),
        ("whistle", "whistles"),
    ),
}
# Words beside which a thing of the kind could not be just any other.
_SPECIFIC = {
    "fruit": """
        cider cinnamon color colors green jam juice orchard peel pie pies red sauce
        smoothie smoothies tree trees yellow
    """,
    "sweets": """
        bar bars birthday candle candles chip chips frosting glaze sprinkles
    """,
    "stationery": """
        author bookshelf bookshelves chapter chapters comic cover covers draw draws
        inches ink library novel novels page pages read reading reads sharpen sharpened
        shelf shelves word words write writes writing wrote
    """,
    "collection": """
        baseball beach birthday blew bloom blooms blow bouquet bouquets burn burning
        burns cake cent cents christmas city credit daisies daisy deck decks diamond
        dime dimes engagement envelope envelopes finger flip flipped garden gardens gift
        greeting hair heads helium inflate letter letters library light lit mail melt
        melts nickel nickels ocean pennies penny petal petals phone piece pieces plant
        planted plants pokemon poker quarters rose roses seeds sew sewing shirt shirts
        song street tails toss tulip tulips vase vases wax wear wears wedding wrap
        wrapping
    """,
}
SPECIFIC = {kind: frozenset(words.split()) for kind, words in _SPECIFIC.items()}
# Words that may stand right before a thing. Behind others it is part of a name ("index cards").
_BEFORE = """
a all an and any are as ate bags bought box boxes broken buy buys collected collects count
crates dozen each eat eats enough every few fewer find for found fresh gave get gets give given
gives good got had has have her his how keeps kept lost made make makes many more my new no of
old only or order orders other our owned owns packs remaining sell sells several sold some take
takes than that the their these this those took total trade traded were whole with
"""
BEFORE = frozenset(_BEFORE.split())
