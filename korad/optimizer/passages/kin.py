"""Words that stand for each other: a passage may answer in other words than it was asked in.

A list written by hand of everyday words, mostly English; nothing in it is of one subject alone.
"""

from __future__ import annotations

from functools import cache

from korad.optimizer.passages.terms import term_of

_KIN = """\
price cost fee charge tariff rate expense; pay paid payment remit settle disburse; salary wage
income earnings remuneration pay; cheap inexpensive affordable bargain; expensive costly dear
pricey; free gratis complimentary gratuitous costless; refund reimburse repay repaid reimbursement
return; discount rebate reduction deduction saving; debt owe loan credit borrow lend lent; tax
levy duty taxation; profit gain revenue earnings proceeds; budget allowance allotment; fine
penalty sanction; rent lease tenancy; tenant renter lessee; landlord owner lessor proprietor;
invoice bill receipt; donate donor gift endow bequeath; award prize trophy medal honour accolade
winner laureate; money cash funds sum capital finance; buy bought purchase acquire order; sell
sold sale vend market retail; shop store boutique retailer; customer client buyer purchaser
consumer; rich wealthy fortune affluent; poor poverty needy; job work employ employment occupation
profession career post position; boss manager supervisor superior head chief director lead chair;
staff employee worker personnel; colleague coworker peer teammate; fire fired dismiss dismissal
sack terminate redundant layoff; resign quit leave left retire; hire recruit appoint engage;
holiday vacation leave; company firm business enterprise corporation employer; office workplace
premises desk headquarters; building house structure edifice; meeting conference session
gathering; lawyer attorney solicitor counsel advocate; court judge tribunal trial; sue claim
lawsuit litigation; law act statute legislation rule regulation; crime offence felony; steal stole
stolen theft robbery; illegal unlawful prohibited forbidden banned; allow permit permission
authorize consent; forbid forbidden prohibit ban disallow; contract agreement treaty deal;
testament inherit heir; guilty convict sentence; prison jail imprison incarcerate captive; police
officer constable; complain complaint objection appeal grievance dispute; proof evidence prove
demonstrate; harm damage injury injure hurt loss wound; danger dangerous hazard risk unsafe
harmful peril; safe safety secure harmless protected; harmless innocuous safe; protect guard
shield defend prevent; secret confidential hidden anonymous private; misconduct fraud harassment
breach abuse; emergency alarm crisis urgent; evacuate evacuation assembly escape; rescue save
saved recover; doctor physician medic surgeon; illness ill sick disease disorder unwell ailment
condition; medicine drug tablet pill medication remedy; painkiller analgesic pain; pain ache sore
hurt; cough throat tickle; heart cardiac; kidney renal; liver hepatic; lung pulmonary airway
breath; pregnant pregnancy expectant trimester; child children infant baby babies kid minor
toddler; sugar glucose sweet; diabetes insulin glucose; tired fatigue exhausted weary; sleep slept
insomnia; treat cure heal therapy treatment; dose amount dosage quantity; surgery operation
surgical; symptom sign effect reaction; die died death dead kill fatal lethal deadly perish; alive
survive survivor living; born birth nativity; old elderly aged senior ancient; young youth
juvenile teenager adolescent; woman women female lady; man men male; father dad parent; mother mom
mum parent; parent mother father; brother sister sibling; husband wife spouse married marry wed;
divorce separated; friend companion ally; enemy foe rival; ruler king queen monarch emperor
sovereign; leader head chief president chair captain; soldier troop army military warrior; war
battle conflict fight fought combat; attack assault raid invade strike; defeat beat beaten
vanquish overcome conquer; victory win won; lose lost loss defeat; surrender capitulate yield;
peace truce armistice; begin began begun start commence launch onset; end ended finish conclude
cease expire terminate; stop cease halt discontinue quit; continue proceed resume persist last;
pause break interrupt; delay late postpone lag overdue; early beforehand premature; fast quick
rapid swift speedy soon; slow gradual sluggish; frequent regular repeated; rare seldom uncommon
scarce; always never; daily day everyday; weekly week; monthly month; yearly annual year; night
evening nocturnal; morning dawn sunrise; noon midday; age era epoch period; deadline latest
period; duration long lasting period; current present today; prior previous earlier ago; later
subsequent; immediately instantly promptly; produce manufacture create fabricate build built
construct; invent devise develop patent; design plan draft architect; repair fix mend restore;
break broke broken fracture crack damage; destroy ruin demolish wreck devastate; remove delete
erase eliminate strip; clean wash tidy; add append insert attach; join unite merge combine; divide
split separate; change alter modify amend convert vary; replace substitute swap exchange; improve
enhance better; increase rise rose grow raise climb; decrease fall fell reduce decline drop lower
shrink; maximum ceiling cap; maximum ceiling highest; minimum least lowest; big large huge great
vast enormous; small little tiny minor; tall high height; short brief; wide broad width; deep
depth; thick thin; heavy weigh weight mass; size dimension measure extent; number count amount
quantity figure total; half fifty; twice double two; percent share portion; first original initial
earliest; last final ultimate; sole single; main chief principal primary; call title term dub
nickname; define definition denote signify; said state declare announce claim; told inform notify
report; request inquire demand; speak spoke language tongue talk; wrote written author pen; read
reading; book novel volume publication; story tale plot narrative; poem verse poet; notification
notice event message alert; letter mail post correspondence; phone call telephone dial; send sent
dispatch mail deliver ship submit; receive obtain; bring brought carry transport; duplicate copy
twice repeat double; cancel revoke undo withdraw annul abort; confirm verify approve; keep kept
retain hold store preserve save; store storage keep archive; collect gather assemble; lose lost
missing mislaid; discover locate; seek look; hide hidden conceal; display exhibit present
demonstrate; look appear appearance; watch observe view monitor; saw seen view visible; hear heard
sound listen; noise loud sound; quiet silent; smell odour stink scent; taste flavour; touch
tactile feel; feel felt sensation; think believe opinion consider; knew aware; learn study taught
teach educate train; teach taught teacher instructor professor lecture; student pupil scholar;
school academy college; university college institute; exam test examination; course class lesson
training; science research study scholar; expert specialist authority; machine device apparatus
engine; computer machine program software; bug fault error defect flaw; crash fail failure outage;
server endpoint host service; network connection internet link; password credential login; login
sign authenticate token; encrypt cipher; file record; data record stored; website page site
online; online internet web distance; app application program software; version release edition;
update upgrade revise; setting option configure; speed rate velocity; car auto automobile vehicle;
truck lorry; train railway rail; ship vessel boat ferry; plane aircraft flight airline; bicycle
bike cycle; bus coach; drive drove driver; travel trip journey; tourist visitor guest traveller;
hotel inn lodging accommodation; arrive arrival reach; depart departure leave left; road street
highway route; bridge span; map chart; city town municipality capital; village hamlet settlement;
country nation state land; region area district zone province; border frontier boundary; close
nearest beside; north northern; south southern; east eastern; west western; island isle; mountain
peak summit hill; river stream; sea ocean marine; lake pond; forest wood; beach coast shore; place
location site spot; home residence dwelling house; live lived reside inhabit dwell; stay remain
reside; move relocate transfer; return back; enter entry entrance access admission; exit leave;
open opened inaugurate; close closed shut; lock locked; wall fence; floor storey; room hall
chamber; door gate; lift elevator; church cathedral chapel worship; god deity divine; religion
faith belief; priest clergy; food eat ate dish meal cuisine; breakfast morning meal; lunch midday;
dinner evening supper; drink beverage; beer brew ale; wine vineyard; bread loaf bake; cake pastry
dessert; meat beef pork; chicken poultry bird fowl; fish seafood; egg yolk; milk dairy cream;
cucumber gherkin pickle; crisp crunchy; sauce dressing emulsion; split separate curdle; recipe
instructions; cook cooked boil fry roast simmer; oven bake; hot heat warm temperature; cold cool
chill freeze frozen; temperature degree; ice frost; chocolate candy sweet; salt brine; spice
seasoning; restaurant tavern cafe; hungry starve; water liquid moisture; rain rainy wet
precipitation; storm wind gale; sun sunny sunlight; bright light daylight sun; dark darkness
night; weather climate; fire burn burnt blaze flame; flood inundation overflow; earthquake quake
seismic; volcano eruption lava; plant crop grow; flower bloom blossom; seed sow; farm farmer
agriculture; soil earth; animal creature beast; dog canine hound; cat feline; horse equine; hunt
hunter; predator prey; body anatomy; head skull; eye vision sight; ear hearing; foot feet leg;
bone skeletal; brain cerebral; tooth teeth dental; sport game match play; player athlete; coach
trainer; team club squad; race run; champion winner; score goal point; cyclist cycling rider;
record best mark; contest competition; music song melody tune; sing sang singer vocal; band group;
album record; movie film picture; actor actress portray star role; theatre stage play; television
series programme; character role; artist painter; paint picture portrait; photo photograph picture
snapshot; art work; museum gallery collection; exhibition display; wear wore dress clothes garment
cover; gold golden gilded; iron steel metal; metal precious; wood wooden timber; stone rock; oil
petroleum; electricity electric power; energy power; light lamp lighting; wire cable; automatic
manual hand; tool instrument; sharp edge; strong strength powerful; weak feeble; hard difficult;
easy simple; difficult problem; cause reason due lead; outcome consequence effect; purpose aim
goal; problem trouble issue difficulty; solve solution remedy fix; help assist support aid; need
require necessary; want wish desire; choose chose select option pick; try attempt; succeed
success; avoid prevent hinder; true real genuine; false wrong incorrect untrue; bad poor; right
correct; famous celebrated renowned; strange odd unusual curious; normal usual ordinary; important
significant major; popular favourite; new recent novel; similar alike; different differ distinct;
opposite contrary; example instance; kind type sort category; government state administration;
parliament congress senate; vote election elect ballot; citizen resident national; population
people; law legal; right entitle; duty obligation; member belong; group organization society;
organization body society association agency; founder establish set; charge head led lead;
responsible charge accountable; owner possess belong; share part; belong property; space orbit;
moon lunar; earth world globe; rocket launch; electron atom; chemical compound substance; liquid
fluid; gene genetic dna; virus infect infection; bacteria microbe; calculate compute; equation
formula; trick tip advice hint knack technique; clear transparent cloudy; check test verify
inspect examine; cut slice chop carve blade knife; keen sharp eager; cite quote reference mention;
line sentence phrase paragraph; spend spent expense charge; furnace kiln smelter oven; ignite
kindle light lit; pour tip; stir mix blend whisk beat; peel skin rind; spread smear brush glaze;
drop fall fell drip; throw threw toss discard; pull drag tow; push press shove; lift raise hoist;
hang hung suspend; hit strike beat struck; bite bit sting; catch caught capture seize; follow
pursue chase; lead guide steer; turn rotate spin twist; bend bent curve; jump leap leapt vault;
run ran sprint; walk stroll hike foot; climb ascend ascent mount; sit seat; stand stood upright;
lie lay rest; sleep bed; wake awake; wash laundry; dry drought arid; wet damp moist soaked; dirty
filthy stain; fresh new; rotten spoil spoiled rot; mature ripe; empty vacant void; full complete
packed crowded; crowd packed busy throng; queue line wait; permanent lasting; temporary interim;
public open common; official formal; national domestic; foreign abroad overseas international;
local regional; rural countryside; urban city town; native indigenous; immigrant migrant settler;
refugee asylum exile; slave slavery; freedom liberty free; equal parity; justice fair; religion
church; pray prayer; holy sacred; wedding marriage; funeral burial grave; bury buried grave tomb;
grave tomb cemetery; ghost spirit; luck fortune chance; chance probability odds likelihood; odds
bookmaker; bet gamble wager; guess estimate; surprise unexpected upset; fear afraid dread scare;
anger angry; happy glad joy; sad sorrow depression unhappy; mood depression emotion feeling; love
romance; hate dislike; laugh joke funny humour; cry weep tear; shy timid; brave courage; proud
pride; clever smart intelligent; stupid foolish; mad insane crazy; honest sincere; cruel brutal;
kind gentle; polite courteous; lazy idle; busy occupied; careful cautious; hobby pastime leisure;
game puzzle; party celebration festival feast; celebrate festival feast; birthday anniversary;
weather rain snow wind; fog mist; thunder lightning; valley gorge canyon; cave cavern; field
meadow pasture; bay gulf harbour; harbour port dock; pier quay jetty; canal channel waterway;
spring well; swamp marsh; sand dune; dust powder; mud clay; leaf leaves foliage; branch bough;
wood log; wing feather; nest breed; cotton fabric cloth; sew stitch; wear cloth; bag sack suitcase
luggage; luggage baggage suitcase; box crate case carton; bottle flask jar; cup mug glass; plate
dish; bowl basin; pan pot kettle; pot jar vessel; table desk; chair seat bench; bed couch;
cupboard shelf cabinet; carpet rug; needle pin; rope string cord; nail screw; pipe tube hose;
wheel tyre; engine motor; captain skipper; driver chauffeur motorist; passenger traveller rider;
ticket pass admission; passport visa; schedule timetable plan; platform station; station stop
terminal; ferry shuttle boat; tram streetcar metro; underground metro subway; taxi cab; park
parking; speed speeding; accident crash collision; licence permit; fuel petrol; repair workshop;
brand label mark; sample specimen; weigh kilogram gram ton pound; length metre kilometre mile
feet; height metre feet; distance kilometre mile metre; temperature celsius fahrenheit; volume
litre gallon; area hectare acre square; hour minute midnight; minute second; century decade;
language english french german spanish latin; bug beetle insect; cereal grain wheat; pasta
spaghetti noodle tagliatelle; fat oil butter grease; dough pastry flour; soup stock broth; salad
lettuce; appetite hunger; fever temperature; flu influenza; cancer tumour; allergy allergic rash;
rash itch; swell swelling swollen; bleed blood; vomit nausea sick; dizzy dizziness; tremor shake
trembling; deaf hearing; blind sight; lame disabled; disabled handicap wheelchair; hospital clinic
ward; ambulance paramedic emergency; pharmacy chemist drugstore; chemist pharmacist; vaccine
vaccinate jab immunization; diet eat nutrition; alcohol drink drunk; smoke smoking cigarette
tobacco; drug narcotic; addict dependence; overdose poison toxic; poison toxic toxin; stomach
belly gut; belly stomach abdomen; breathe breath respiration; asthma airway inhaler; joint
arthritis; pulse heartbeat; bone fracture; limb arm leg; chest breast; screen display monitor;
printer print; phone mobile telephone; email mail message; upload attach; code program script;
interface api endpoint; callback webhook hook; outdated old obsolete deprecated; backup copy;
database table; user account member; account profile user; spam junk; hacker attack intruder;
privacy confidential; copy duplicate replicate; format form; image picture photo; video film clip;
audio sound; support help maintain; maintain upkeep service; invite guest; crowd people;
descendant offspring heir; relative family kin; family relative household; aunt uncle niece
nephew; grandfather grandmother grandson; engaged fiance; girlfriend boyfriend partner; partner
spouse; pioneer first; explorer expedition voyage; expedition voyage explore; voyage journey trip;
scholar academic researcher; blacksmith forge; miner mine; sailor seaman; guard watchman sentry;
spy espionage; thief burglar robber; murder kill assassin; hostage captive; weapon arms gun; gun
rifle pistol; bomb explosion blast; bullet shot; shoot shot; fortress castle stronghold; siege
besiege; occupy occupation; colony settlement; revolution uprising revolt; revolt rebellion
uprising; rebel revolt; independence independent sovereign; protest demonstrate strike; strike
walkout; union association; ambassador envoy diplomat; minister secretary; committee commission
board panel; board council committee; judge referee jury; obey comply; apply application request;
register enrol registration; register sign enrol; qualify eligible entitled; eligible entitle
qualify; deny refuse reject decline; accept agree approve; agree consent; promise pledge; warn
warning notice; blame fault; forgive pardon; argue dispute quarrel; persuade convince; suggest
propose; recommend advise; order command; demand claim; exempt exclude except; contain comprise;
contain hold; consist comprise compose; depend rely; relate connect; symbol emblem logo; flag
banner; coin money; statue sculpture monument; monument memorial statue; plaque memorial; tower
spire; clock hour; guarantee warranty; vapour steam mist; technician mechanic engineer repairman;
previous old former; select choose setting programme option; whirl spin rotate turn; whine howl
noise; error fault code; clog block jam stuck; plug switch connect; replacement spare substitute;
component part piece; bedding sheet linen bed; sneeze allergy pollen; trousers pants jeans; pale
fade bleach; spill stain; mother female; young offspring brood cub; newborn calf baby infant;
nourishment food milk feed; meat flesh; edible eat eaten; pelt fur hide skin; plume feather;
scientist researcher scholar expert; suspect suppose believe think; microscopic tiny; helmet
headgear; imitate mimic copy; rival competitor; chick hatchling; float drift; asleep sleep;
suspend ban; exercise workout training; stadium arena ground; fan supporter; mortgage loan;
interest rate; pension retirement retire; share stock; bankrupt insolvent insolvency; takeover
acquisition merger acquire; merger merge takeover; import export trade; factory plant works mill;
overtime extra hours; freelance self-employed; apprentice trainee intern; interview applicant
candidate; promotion promote advance; bonus reward commission; target goal aim; deadline due;
review feedback appraisal; absent absence; sickness sick illness absence; maternity parental birth
mother; commute travel; remote home telework; badge pass card; laptop notebook computer device;
stick drive usb; antidote remedy; crisp chips; soup stew; dessert sweet pudding; spicy hot;
vegetarian vegan meatless; heir inherit estate; estate property inherit; property real estate
land; plot land; neighbour adjacent next; apartment flat dwelling; evict terminate; broken faulty
defective defect; parcel package delivery; delivery deliver handed arrive; crowd visitor; opening
opened inaugurate; anniversary year; landmark emblem symbol monument; souvenir gift shop; beginner
novice start; advanced expert; cheat fraud; fake false forged counterfeit; thief stolen; suspect
accused; accused defendant charged; ruling verdict judgment decision; decision decide ruling;
shortage lack scarce; lack missing shortage; surplus excess; roughly approximately; preis kosten
gebuhr betrag beitrag; bezahlen zahlen uberweisen entrichten; geld summe betrag; kaufen erwerben
bestellen; billig gunstig; rabatt nachlass ermassigung; lohn gehalt verdienst; urlaub ferien; arzt
doktor mediziner; krank krankheit leiden; medikament arznei tablette; schmerz weh; auto kfz wagen
fahrzeug; fahrrad rad bike; gestohlen diebstahl einbruch entwendet; betrunken alkohol promille;
unfall zusammenstoss; verletzen verletzung wunde; beschweren beschwerde einspruch schlichtung;
gericht richter klage; anwalt jurist; kundigen kundigung beenden; vertrag vereinbarung police;
wohnung haus gebaude; chef leiter vorgesetzter; arbeit beruf job tatigkeit; beginnen anfangen
start; sterben tod gestorben; kind kinder sohn tochter; heirat ehe ehegatte hochzeit; stadt ort
gemeinde; speise mahlzeit gericht; schnell rasch sofort; melden mitteilen anzeigen; frist termin;
hochwasser uberschwemmung flut; versicherung schutz deckung; gutachter sachverstandiger;
stornieren absagen storno rucktritt; prix tarif cout montant; payer verser regler; argent somme;
acheter achat; voler vol vole derobe; manger repas restaurant menu; photo cliche photographie;
oublie perdu oubli; chauffage chaleur chauffe; ferme clos fermeture; ouvert ouverture; velo
bicyclette; voiture auto; enfant fils fille; handicape fauteuil chaise; monter etage ascenseur;
tableau toile peinture portrait; rendre rendu rembourse retour; medecin docteur; maladie malade;
travail emploi metier; patron directeur chef; tribunal juge; logement appartement maison; mort
deces; mari epoux; femme epouse; debut commencer; fin terminer; interdit defendu; permis autorise;
precio coste tarifa importe; pagar pago abonar; comprar compra; robar robo hurto; comida plato;
pajaro ave; oler olor huele; insecto bicho escarabajo plaga; patata papa; fresa frutilla; blanco
blanquecino; hongo moho; basura desecho resto; pila monton; cortar podar poda; regar riego; medico
doctor; enfermedad enfermo; trabajo empleo oficio; jefe director; juez tribunal; casa vivienda;
piso apartamento; coche auto; empezar comienzo inicio; terminar fin; fabric cloth textile
"""
"""Groups of words; each may be said for any other of its group."""

_KINDS = """\
insect bug pest; summer august july; winter january december; spring april; autumn october
november; currency euro dollar; weekday monday tuesday wednesday thursday friday saturday sunday;
month january february march april june july august september october november december; weekend
saturday sunday; colour red blue green yellow black white; continent europe asia africa america;
pet dog cat; insect bee ant wasp beetle butterfly; fruit apple orange berry grape; vegetable
potato carrot cabbage onion tomato; grain wheat rice barley rye oat; herb parsley dill basil; nut
almond walnut; illness flu measles cancer fever infection; fabric silk wool leather cotton linen;
electricity current volt watt kilowatt; snake cobra viper; rodent mouse rat squirrel; relative
uncle aunt cousin niece nephew; bird goose duck gull owl eagle; space satellite orbit rocket;
disability wheelchair lift; fuel petrol diesel gas
"""
"""A word, and words for what is of that kind or goes with it."""

_SHORT_CHARS = 3


def kin_of(term: str) -> frozenset[str]:
    """Return the terms that may stand for `term`."""
    return _kin().get(term, frozenset()) | _other_number(term)


def _other_number(term: str) -> frozenset[str]:
    """Return the plural of a word of three letters or its singular: these have no stem."""
    word = term.strip()
    if len(word) == _SHORT_CHARS and word.isalpha():
        return frozenset({f" {word}s "})
    if len(word) == _SHORT_CHARS + 1 and word.endswith("s"):
        return frozenset({f" {word[:-1]} "})
    return frozenset()


@cache
def _kin() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in _groups(_KIN):
        for term in group:
            found.setdefault(term, set()).update(group)
    for first, *others in _groups(_KINDS):
        found.setdefault(first, set()).update(others)
    return {term: frozenset(kin - {term}) for term, kin in found.items()}


def _groups(text: str) -> list[list[str]]:
    return [[term_of(word) for word in group.split()] for group in text.split(";")]
